using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Verification;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Formats;

/// <summary>LSTM in integers: what is emitted computes what the format says, whatever the operator has.</summary>
public class RecurrentTests
{
    private static readonly Dictionary<string, RecurrentCase> Known = new()
    {
        ["plain"] = new(),
        ["reverse"] = new("reverse"),
        ["bidirectional"] = new("bidirectional", HasBias: true),
        ["bias and states"] = new(HasBias: true, HasStates: true),
        ["states of both directions"] = new("bidirectional", HasBias: true, HasStates: true, HasPeepholes: true),
        ["lengths"] = new(HasBias: true, Lengths: [7, 2, 5]),
        ["lengths below the steps, backwards"] = new("reverse", HasBias: true, Lengths: [4, 1, 6], HasStates: true),
        ["lengths of both directions"] = new("bidirectional", Lengths: [3, 7, 5]),
        ["peepholes and clip"] = new(HasBias: true, HasPeepholes: true, Clip: 0.75f),
        ["coupled gates"] = new("bidirectional", HasBias: true, InputForget: true),
        ["other functions"] = new("bidirectional", HasBias: true, Activations: ["HardSigmoid", "Tanh", "Relu"]),
        ["only all steps"] = new(Outputs: "Y"),
        ["only the last states"] = new("bidirectional", HasBias: true, Outputs: "HC"),
        ["only the cells"] = new(Outputs: "C"),
        ["one step, one row"] = new(HasBias: true, HasStates: true, Steps: 1, Batch: 1, Inputs: 3, Hidden: 2),
        ["wide"] = new(HasBias: true, Steps: 3, Batch: 2, Inputs: 70, Hidden: 65),
    };

    public static TheoryData<string, string, bool> Cases()
    {
        // Scales that take the whole range are for processors that add products of 8 bits exactly.
        var data = new TheoryData<string, string, bool>();
        foreach (string name in Known.Keys)
        {
            foreach (string format in new[] { FormatTexts.Int8Dynamic, FormatTexts.Native }.Distinct())
            {
                data.Add(name, format, true);
                data.Add(name, format, false);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ItComputesWhatTheFormatSays(string name, string format, bool isOptimized)
    {
        RecurrentCase made = Known[name];
        (ModelProto mixed, double[][] weights) = Rewrite(made, format);
        SessionSettings settings = (isOptimized ? SessionSettings.Default : SessionSettings.Plain) with { Threads = 1 };
        using Session session = Session.Create(mixed, settings), original = Session.Create(made.Model(), settings);
        IReadOnlyDictionary<string, Tensor> found = session.Run(made.Feeds), exact = original.Run(made.Feeds);
        Dictionary<char, double[]> expected = RecurrentReference.InFormat(made, weights), plain = RecurrentReference.Exact(made);
        foreach (char output in made.Outputs)
        {
            double[] own = RecurrentReference.Doubles(found[$"{output}"]), before = RecurrentReference.Doubles(exact[$"{output}"]);
            Assert.Equal(expected[output].Length, own.Length);
            Assert.InRange(Distance(plain[output], before), 0, 2e-6);
            Assert.InRange(Distance(expected[output], own), 0, 2e-4);
            Assert.InRange(Distance(before, own), 2.5e-4, 0.05);
        }
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("states of both directions")]
    [InlineData("only the last states")]
    public void ItRunsInThePromisedKernelAndTheFileIsAsPlanned(string name)
    {
        using var emitted = new EmittedModel(Known[name].Model(), "int8-dynamic");
        IReadOnlyList<RewrittenLayer> layers = emitted.Check();
        Assert.Equal(6, Assert.Single(layers).Constants.Count);
        KernelCheck.Check(emitted.Mixed, layers, SessionSettings.Default);
        using OnnxModel mixed = OnnxModel.Load(emitted.Mixed);
        Assert.Equal("DynamicQuantizeLSTM", Assert.Single(mixed.Graph.Node).OpType);
        Assert.DoesNotContain(mixed.Graph.Initializer, t => t.Name is "W" or "R");

        // A file in which the layer is as it was is not what the check was told.
        emitted.Edit(m => m.Graph.Node[0].Attribute("hidden_size")!.I++);
        Assert.Throws<MixedPrecisionException>(emitted.Check);
    }

    [Fact]
    public void BytesAreThoseOfTheConstantsOfBothWeights()
    {
        RecurrentCase made = Known["bidirectional"];
        (LayerSite site, Func<string, Tensor> weight) = Site(made);
        NumberFormat format = NumberFormats.Get("int8-dynamic");
        Assert.Equal(2, site.ByWeight.Count);
        Assert.Equal(site.Layer.Parameters, site.ByWeight.Sum(s => s.Layer.Parameters));
        Assert.All(site.ByWeight, s => Assert.Equal(format.Prepare(s, weight(s.Layer.Weight)).Sum(t => t.Bytes.Length), format.Bytes(s)));
        long stored = 4 * site.Layer.Parameters;
        Assert.Equal(stored - site.ByWeight.Sum(format.Bytes), new Savings(made.Model().Graph).Bytes([(site, format)]));
    }

    [Fact]
    public void NeighbouringWeightsDoNotSaturate()
    {
        (LayerSite site, Func<string, Tensor> weight) = Site(Known["wide"]);
        sbyte[] values = NumberFormats.Get("int8-dynamic(paired)").Prepare(site.ByWeight[0], weight("W"))[0].Values<sbyte>().ToArray();
        int columns = site.OutputSize;
        int largest = Enumerable.Range(0, columns).Max(column => Enumerable.Range(0, site.InputSize).Select(row => (int)values[(row * columns) + column]).Chunk(2)
            .Max(pair => Math.Max(pair.Where(v => v > 0).Sum(), -pair.Where(v => v < 0).Sum())));
        Assert.InRange(largest, 126, 128);
    }

    [Theory]
    [InlineData("int8-dynamic(products)", "one operand is a constant weight; 'int8-dynamic' is the format for these")]
    [InlineData("int8-static", "ONNX Runtime has no recurrent operator with weights in this format")]
    [InlineData("int8-weight", "ONNX Runtime has no recurrent operator with weights in this format")]
    [InlineData("int4-weight", "ONNX Runtime has no recurrent operator with weights in this format")]
    [InlineData("fp16", "ONNX Runtime has no recurrent operator with weights in this format")]
    public void OtherFormatsSayThatTheyHaveNoKernel(string format, string reason)
    {
        (LayerSite site, _) = Site(new RecurrentCase());
        Assert.Equal(reason, NumberFormats.Get(format).WhyNot(site));
        Assert.False(NumberFormats.Get(format).IsFor(LayerKind.Recurrent));
    }

    [Fact]
    public void TheLayoutIsNotWrittenSinceTheKernelHasOneAlone()
    {
        ModelProto model = new RecurrentCase().Model();
        model.Graph.Node[0].Attribute.Add(Attributes.Of("layout", 0));
        using var emitted = new EmittedModel(model, "int8-dynamic");
        using Session session = Session.Create(File.ReadAllBytes(emitted.Mixed), SessionSettings.Default);
        Assert.Equal(3, session.Run(new RecurrentCase().Feeds).Count);
    }

    [Fact]
    public void AWeightThatIsNoNumberKeepsTheLayerAsItIs()
    {
        using var model = new OnnxModel(new RecurrentCase().Model(), "", "model.onnx");
        TensorProto recurrence = model.Graph.Initializer.Single(t => t.Name == "R");
        Tensor values = LayerModels.Random(2, [.. recurrence.Dims]);
        float[] faulty = values.Values<float>().ToArray();
        faulty[5] = float.NaN;
        recurrence.RawData = Tensor.Of<float>(faulty, values.Shape).ToProto("R").RawData;
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        LayerSite site = WeightFaults.Find(model, partition.View, partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(model, partition.View, types, l))).Values.Single();
        Assert.StartsWith("the weight 'R' holds NaN", NumberFormats.Get("int8-dynamic").WhyNot(site), StringComparison.Ordinal);
    }

    private static (ModelProto Mixed, double[][] Weights) Rewrite(RecurrentCase made, string format)
    {
        (LayerSite site, Func<string, Tensor> weight) = Site(made);
        NumberFormat own = NumberFormats.Get(format);
        ModelProto mixed = made.Model();
        LayerRewriter.Apply(mixed, [(site, own)], weight);

        // By column, as the operator stores weights.
        double[] Held(LayerSite s)
        {
            IReadOnlyList<Tensor> constants = own.Prepare(s, weight(s.Layer.Weight));
            sbyte[] values = constants[0].Values<sbyte>().ToArray();
            float[] scales = constants[1].Values<float>().ToArray();
            int outputs = 4 * made.Hidden, inputs = s.InputSize;
            return [.. from column in Enumerable.Range(0, made.Directions * outputs)
                       from input in Enumerable.Range(0, inputs)
                       select (double)values[((((column / outputs) * inputs) + input) * outputs) + (column % outputs)] * scales[column]];
        }

        return (mixed, [.. site.ByWeight.Select(Held)]);
    }

    private static (LayerSite Site, Func<string, Tensor> Weight) Site(RecurrentCase made)
    {
        var model = new OnnxModel(made.Model(), "", "model.onnx");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        return (LayerSite.Of(model, partition.View, types, partition.Layers.Single()), name => Weights.Read(model, partition.View, name)!);
    }

    private static double Distance(double[] expected, double[] found) =>
        Math.Sqrt(expected.Zip(found, (a, b) => (a - b) * (a - b)).Sum() / expected.Sum(a => a * a));
}
