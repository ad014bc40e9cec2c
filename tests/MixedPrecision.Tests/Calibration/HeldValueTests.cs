using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Values that layers hold in 8 bits: what rounding one does to the loss, and who reads it rounded.</summary>
public class HeldValueTests
{
    private const string Format = "int8-static(full)";

    /// <summary>"t" is read by a convolution and by the sum behind it, which a last convolution reads.</summary>
    private static ModelProto Residual() => LayerModels.Model(
        [("x", [1, 4, 6, 6])],
        b =>
        {
            Sum(b);
            b.NodeTo(["last"], "Conv", "", ["sum", "u"]);
            b.NodeTo(["y"], "ReduceSumSquare", "", ["last"], Attributes.Of("keepdims", 0));
        },
        ("w", LayerModels.Random(3, 8, 4, 3, 3)),
        ("v", LayerModels.Random(5, 8, 8, 3, 3)),
        ("u", LayerModels.Random(7, 8, 8, 1, 1)));

    /// <summary>The same with a head of a classifier, for which the sum is pooled.</summary>
    private static ModelProto Headed() => LayerModels.Model(
        [("x", [1, 4, 6, 6])],
        b =>
        {
            Sum(b);
            b.NodeTo(["flat"], "Flatten", "", [b.Node("GlobalAveragePool", ["sum"])]);
            b.NodeTo(["y"], "ReduceSumSquare", "", [b.MatMul("flat", "u")], Attributes.Of("keepdims", 0));
        },
        ("w", LayerModels.Random(3, 8, 4, 3, 3)),
        ("v", LayerModels.Random(5, 8, 8, 3, 3)),
        ("u", LayerModels.Random(7, 8, 5)));

    private static void Sum(GraphBuilder b)
    {
        b.NodeTo(["t"], "Relu", "", [b.Node("Conv", ["x", "w"], Attributes.Of("pads", [1L, 1, 1, 1]))]);
        b.NodeTo(["s"], "Conv", "", ["t", "v"], Attributes.Of("pads", [1L, 1, 1, 1]));
        b.NodeTo(["sum"], "Add", "", ["s", "t"]);
    }

    [Theory]
    [InlineData(false, "t", 2)]
    [InlineData(false, "s", 1)]
    [InlineData(false, "sum", 1)]
    [InlineData(true, "t", 2)]
    [InlineData(true, "sum", 1)]
    [InlineData(true, "flat", 1)]
    public void TheChangeIsThatOfTheLossThroughAllReaders(bool isHeaded, string value, int layers)
    {
        using var folder = new Calibrated(isHeaded ? Headed() : Residual());
        HeldValue held = folder.Found.Held.Single(h => h.Value == value);
        Assert.Equal(layers, held.Layers.Count);
        Assert.Equal(folder.Samples.Count, held.Rounding.Deltas.Length);
        for (int sample = 0; sample < folder.Samples.Count; sample++)
        {
            Assert.Equal(folder.Change(value, held.Range, sample), held.Rounding.Deltas[sample], 0.03 * Math.Sqrt(held.Rounding.Measured));
        }
    }

    /// <summary>Behind an activation that is computed in 8 bits lies a value of its own; what the layer gives is rounded with σ, when the layer itself is in the format.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AnActivationIsJudgedWithinAndBehind(bool isHard)
    {
        using var folder = new Calibrated(LayerModels.Model(
            [("x", [1, 4, 6, 6])],
            b =>
            {
                b.NodeTo(["s"], "Conv", "", ["x", "w"]);
                b.NodeTo(["t"], "Mul", "", ["s", b.Node(isHard ? "HardSigmoid" : "Sigmoid", ["s"])]);
                b.NodeTo(["y"], "ReduceSumSquare", "", [b.Node("Conv", ["t", "u"])], Attributes.Of("keepdims", 0));
            },
            ("w", LayerModels.Random(3, 8, 4, 3, 3)),
            ("u", LayerModels.Random(7, 8, 8, 1, 1))));
        HeldValue behind = folder.Found.Held.Single(h => h.Value == "t"), within = folder.Found.Held.Single(h => h.Value == "s");
        Assert.Equal((2, 1), (behind.Layers.Count, within.Layers.Count));
        Swish swish = folder.Sites[0].Tail!.Swish!;
        for (int sample = 0; sample < folder.Samples.Count; sample++)
        {
            Assert.Equal(folder.Change("t", behind.Range, sample), behind.Rounding.Deltas[sample], 0.03 * Math.Sqrt(behind.Rounding.Measured));
            double change = folder.Change("s", sample, s => s.Select(v =>
            {
                ValueRange range = within.Range;
                float rounded = (Math.Clamp(MathF.Round(MathF.Max(v, swish.Least) / range.Scale) + range.ZeroPoint, 0, 255) - range.ZeroPoint) * range.Scale, step = rounded - MathF.Max(v, swish.Least);
                float Of(float x) => x * swish.Gate(x);
                return ((Of(v + step) - Of(v - step)) / 2) + (v * ((MathF.Round(swish.Gate(v) * 255) / 255) - swish.Gate(v)));
            }), "t");
            Assert.Equal(change, within.Rounding.Deltas[sample], 0.05 * Math.Sqrt(within.Rounding.Measured));
        }
    }

    [Fact]
    public void AValueWithFewOutliersIsHeldInLessThanItsRange()
    {
        // One place of a channel that the next layer hardly reads is far beyond the others.
        ModelProto model = Residual();
        float[] first = LayerModels.Random(3, 8, 4, 3, 3).Values<float>().ToArray(), second = LayerModels.Random(7, 8, 8, 1, 1).Values<float>().ToArray();
        for (int i = 0; i < first.Length / 8; i++)
        {
            first[i] *= 30;
        }

        for (int output = 0; output < 8; output++)
        {
            second[output * 8] *= 1e-6f;
        }

        Set(model, "w", Tensor.Of<float>(first, 8, 4, 3, 3));
        Set(model, "u", Tensor.Of<float>(second, 8, 8, 1, 1));
        Set(model, "v", Tensor.Of<float>(new float[8 * 8 * 9], 8, 8, 3, 3));
        using var folder = new Calibrated(model);
        Assert.True(folder.Found.Held.Single(h => h.Value == "t").Range.High < 0.9f * folder.Sites.Single(s => s.RangesOf.Output == "t").Ranges!.Output!.High);
    }

    [Fact]
    public void WhoeverReadsAValueThatIsRoundedReadsItRounded()
    {
        using var folder = new Calibrated(Residual());

        // Only the last layer rounds, and what it reads is read by nobody else; then only that in the middle.
        Assert.Equal(["Add"], ReadersInFloat(folder.Rewritten("last"), "t"));
        ModelProto middle = folder.Rewritten("s");
        Assert.Empty(ReadersInFloat(middle, "t"));
        string rounded = middle.Graph.Node.Single(n => n.OpType == "Add").Input[1];
        Assert.Equal("DequantizeLinear", middle.Graph.Node.Single(n => n.Output[0] == rounded).OpType);
        Assert.All(middle.Graph.Node.SelectMany(n => n.Output), o => Assert.True(o == "y" || middle.Graph.Node.Any(n => n.Input.Contains(o)), $"nobody reads '{o}'"));
        using Session session = Session.Create(middle, SessionSettings.Default);
        Assert.NotEmpty(session.Run(folder.Samples[0].Inputs)["y"].Shape.Append(1));
    }

    private static string[] ReadersInFloat(ModelProto model, string value) => [.. model.Graph.Node.Where(n => n.Input.Contains(value) && n.OpType is not ("QuantizeLinear" or "Conv")).Select(n => n.OpType)];

    private static void Set(ModelProto model, string name, Tensor tensor)
    {
        model.Graph.Initializer.Remove(model.Graph.Initializer.Single(i => i.Name == name));
        model.Graph.Initializer.Add(tensor.ToProto(name));
    }

    /// <summary>A model with a scalar output as its loss, observed and calibrated.</summary>
    private sealed class Calibrated : IDisposable
    {
        private readonly OnnxModel model;
        private readonly LossFunction loss;

        public Calibrated(ModelProto proto)
        {
            proto.Graph.Output.Clear();
            proto.Graph.Output.Add(new TensorType(ElementType.Float, []).ToProto("y"));
            model = new OnnxModel(proto, ".", "made");
            IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
            Partition partition = Partitioner.Partition(model, types);
            Samples = [.. Enumerable.Range(0, 6).Select(i => new Sample($"{i}", new Dictionary<string, Tensor> { ["x"] = LayerModels.Random(20 + i, 1, 4, 6, 6) }, null))];
            LayerSite[] sites = [.. partition.Layers.Select(l => LayerSite.Of(model, partition.View, types, l))];
            string[] values = [.. sites.SelectMany(s => new[] { s.RangesOf.Input, s.RangesOf.Output, s.Pooled, s.Inner }).OfType<string>().Distinct()];
            var ranges = Samples.Select(s => Values(s, values)).SelectMany(v => v).GroupBy(v => v.Key, v => v.Value.Values<float>().ToArray())
                .ToDictionary(g => g.Key, g => ValueRange.Of(g.Min(v => v.Min()), g.Max(v => v.Max())));
            Sites = [.. sites.Select(s => s with { Ranges = s.RangesFrom(v => ranges[v]) })];
            loss = LossFunction.Create(model, types, new CalibrationPolicy(null, LossKind.ScalarOutput, null, 6, "y"), "policy.yaml");
            Found = Calibrator.Run(
                new CalibrationRequest(model, partition, types, Sites.ToDictionary(s => s.Layer.Name), [NumberFormats.Get(Format)], loss, Samples, 2), _ => { }, TestContext.Current.CancellationToken);
        }

        public IReadOnlyList<Sample> Samples { get; }

        public IReadOnlyList<LayerSite> Sites { get; }

        public Sensitivities Found { get; }

        /// <summary>(L(t + d) − L(t − d)) / 2 with d = Q(t) − t: the loss is quadratic in the values here.</summary>
        public double Change(string value, ValueRange range, int sample) =>
            Change(value, sample, values => values.Select(v => ((Math.Clamp(MathF.Round(v / range.Scale) + range.ZeroPoint, 0, 255) - range.ZeroPoint) * range.Scale) - v), value);

        /// <summary>The same for a change of a value that follows from another one.</summary>
        public double Change(string from, int sample, Func<float[], IEnumerable<float>> changeOf, string value)
        {
            Dictionary<string, Tensor> found = Values(Samples[sample], [.. new[] { value, from }.Distinct()]);
            Tensor t = found[value];
            float[] values = t.Values<float>().ToArray(), change = [.. changeOf(found[from].Values<float>().ToArray())];
            double At(float share) => Loss(sample, value, Tensor.Of<float>([.. values.Zip(change, (v, d) => v + (share * d))], t.Shape));
            return (At(1) - At(-1)) / 2;
        }

        /// <summary>The model with the layer of an output in the format.</summary>
        public ModelProto Rewritten(string output)
        {
            ModelProto proto = model.Proto.Clone();
            LayerRewriter.Apply(
                proto, [.. Sites.Select(s => (s, s.Layer.Output == output ? NumberFormats.Get(Format) : NumberFormats.Baseline))], name => TensorProtos.Read(model.Graph.Initializer.First(i => i.Name == name), null!));
            return proto;
        }

        public void Dispose()
        {
            loss.Dispose();
            model.Dispose();
        }

        private Dictionary<string, Tensor> Values(Sample sample, string[] names)
        {
            ModelProto proto = model.Proto.Clone();
            proto.Graph.Output.AddRange(names.Where(n => n is not "x").Select(n => new ValueInfoProto { Name = n }));
            using Session session = Session.Create(proto, SessionSettings.Default);
            return session.Run(sample.Inputs).Where(r => names.Contains(r.Key)).Append(KeyValuePair.Create("x", sample.Inputs["x"])).ToDictionary(r => r.Key, r => r.Value);
        }

        private double Loss(int sample, string value, Tensor tensor)
        {
            ModelProto proto = model.Proto.Clone();
            var inputs = new Dictionary<string, Tensor>(Samples[sample].Inputs);

            // The value becomes an input, and what computed it is read by nobody.
            proto.Graph.Node.Single(n => n.Output[0] == value).Output[0] = "unread";
            proto.Graph.Input.Add(new TensorType(ElementType.Float, [.. tensor.Shape.Select(Dimension.Of)]).ToProto(value));
            inputs[value] = tensor;
            using Session session = Session.Create(proto, SessionSettings.Default);
            return session.Run(inputs)["y"].Values<float>()[0];
        }
    }
}
