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

namespace MixedPrecision.Tests.Quantization;

/// <summary>Channels that another layer can scale are balanced, exactly and at no cost.</summary>
public sealed class BalancingTests : IDisposable
{
    private const int Inputs = 32, Hidden = 48, Outputs = 16, Rows = 400;
    private const string Up = "up", Down = "down";

    private readonly OnnxModel model = new(Gated(), ".", "gated.onnx");
    private readonly Partition partition;
    private readonly IReadOnlyDictionary<string, TensorType> types;
    private readonly Dictionary<string, LayerSite> plain;

    public BalancingTests()
    {
        types = TypeInference.Infer(model);
        partition = Partitioner.Partition(model, types);
        plain = SitesOf(model);
    }

    [Fact]
    public void TheLayerThatMakesTheChannelsIsFound() =>
        Assert.Equal([(Down, Up)], Balancing.Producers(partition.View, plain).Select(p => (p.Key, p.Value.Layer.Name)));

    [Theory]
    [InlineData("the product is an output too")]
    [InlineData("another node reads the product")]
    [InlineData("another node reads the channels")]
    [InlineData("another node reads the weight")]
    [InlineData("a sum in place of the product")]
    [InlineData("a square")]
    public void WhereSomethingElseWouldSeeItThereIsNone(string what)
    {
        ModelProto other = Gated();
        NodeProto product = other.Graph.Node.First(n => n.Output[0] == "h");
        switch (what)
        {
            case "the product is an output too":
                other.Graph.Output.Add(new ValueInfoProto { Name = "h" });
                break;
            case "another node reads the product" or "another node reads the channels" or "another node reads the weight":
                string read = what[(what.LastIndexOf(' ') + 1)..] switch { "product" => "h", "channels" => "u", _ => "wu" };
                other.Graph.Node.Add(new NodeProto { OpType = "Neg", Name = "n", Input = { read }, Output = { "n" } });
                other.Graph.Output.Add(new ValueInfoProto { Name = "n" });
                break;
            case "a sum in place of the product":
                product.OpType = "Add";
                break;
            default:
                product.Input[0] = product.Input[1];
                break;
        }

        using var loaded = new OnnxModel(other, ".", "other.onnx");
        Assert.Empty(Balancing.Producers(new GraphView(loaded.Graph), SitesOf(loaded)));
    }

    public static TheoryData<string> Producers => ["fp32", "int8-dynamic(full,rounded)", "int8-weight(rounded)", "int4-weight(block=16,rounded)", "int4-weight(block=16,zero-points,gptq)", "fp16", "bf16", "fp8-e4m3", "fp8-e5m2"];

    /// <summary>A reader that computes in float shows what the channels are: bits may not change, whatever the layer that makes them is in.</summary>
    [Theory]
    [MemberData(nameof(Producers))]
    public void InFloatsItChangesNoBit(string producer)
    {
        IReadOnlyDictionary<string, LayerSite> sites = Observed();
        float[] Run(bool balances) => OutputsOf(sites, (Up, NumberFormats.Get(producer)), (Down, FloatWeights(balances)));
        Assert.NotEqual(1f, sites[Down].Balance!.Scales.Max());
        Assert.Equal(Run(balances: false), Run(balances: true));
    }

    [Fact]
    public void ErrorsOfActivationsAreMuchSmaller()
    {
        IReadOnlyDictionary<string, LayerSite> sites = Observed();
        float[] exact = OutputsOf(plain);
        double Error(string format) => OutputsOf(sites, (Down, NumberFormats.Get(format))).Zip(exact, (a, b) => Math.Pow(a - b, 2)).Sum();
        Assert.InRange(Error("int8-dynamic(full,gptq)") / Error("int8-dynamic(full,rounded)"), 0, 0.2);
    }

    /// <summary>Calibration runs the layer as the emitted model will have it: of a loss that is linear in the layer's output it tells the exact change.</summary>
    [Fact]
    public void CalibrationSeesWhatIsEmitted()
    {
        IReadOnlyDictionary<string, LayerSite> sites = Observed();
        using LossFunction loss = LossFunction.Create(model, types, new CalibrationPolicy(null, LossKind.OutputMse, null, 1, null), "p.yaml");
        Sample sample = new("test", Feed(), null);
        NumberFormat format = NumberFormats.Get("int8-dynamic(full,gptq)");
        Sensitivities found = Calibrator.Run(
            new CalibrationRequest(model, partition, types, sites, [NumberFormats.Baseline, format], loss, [sample], 1), _ => { }, TestContext.Current.CancellationToken);
        LossTarget target = loss.TargetOf(sample, 0, new Dictionary<string, Tensor> { ["y"] = Tensor.Of<float>(OutputsOf(plain), Rows, Outputs) });
        double Value(float[] y) => loss.Value(new Dictionary<string, Tensor> { ["y"] = Tensor.Of<float>(y, Rows, Outputs) }, target);
        double change = Value(OutputsOf(sites, (Down, format))) - Value(OutputsOf(plain));
        Assert.Equal(change, found.Layers.First(l => l.Name == Down).Formats[format.Name].Deltas[0], Math.Abs(change) * 0.01);
    }

    /// <summary>What calibration hardly saw, or not at all, is not made large.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1e-30f)]
    public void ChannelsThatAreNearlyZeroAreScaledNoMoreThanSmallOnes(float channel)
    {
        float[] largest = [.. Enumerable.Range(0, Hidden).Select(i => i == 5 ? channel : i % 2 == 0 ? 64 : 0.5f)];
        float[] values = [.. largest, .. from i in Enumerable.Range(0, Hidden) from j in Enumerable.Range(i, Hidden - i) select i == j ? largest[i] * largest[i] : 0];
        float[] found = ChannelBalance.Find(plain[Down], Weight("wd"), new InputMoments(Hidden, 1, Hidden, "test", () => values));
        Assert.InRange(found[0] / found[1], 2, 128);
        Assert.InRange(found[0] / found[5], found[0] / found[1], 256);
    }

    [Fact]
    public void AnInputOfZerosStays()
    {
        float[] values = new float[Hidden + InputMoments.Count(Hidden, Hidden)];
        Assert.All(ChannelBalance.Find(plain[Down], Weight("wd"), new InputMoments(Hidden, 1, Hidden, "test", () => values)), s => Assert.Equal(1, s));
    }

    /// <summary>Without gradients too.</summary>
    [Fact]
    public void ForwardDifferencesSeeWhatIsEmitted()
    {
        IReadOnlyDictionary<string, LayerSite> sites = Observed();
        using LossFunction loss = LossFunction.Create(model, types, new CalibrationPolicy(null, LossKind.OutputMse, null, 1, null), "p.yaml");
        NumberFormat[] formats = [NumberFormats.Baseline, NumberFormats.Get("int8-dynamic(full,gptq)"), NumberFormats.Get("int8-dynamic(full,rounded)")];
        var request = new CalibrationRequest(model, partition, types, sites, formats, loss, [new Sample("test", Feed(), null)], 1);
        IReadOnlyDictionary<string, FormatSensitivity> found = ForwardDifferences.Measure(request, [sites[Down].Layer], [], _ => { }, TestContext.Current.CancellationToken)[Down].Formats;
        Assert.InRange(found[formats[1].Name].Measured / found[formats[2].Name].Measured, 0, 0.1);
    }

    /// <summary>What a structure computes is not touched.</summary>
    [Fact]
    public void ALayerThatAStructureComputesScalesNothing()
    {
        IReadOnlyDictionary<string, LayerSite> sites = Observed();
        (LayerSite, NumberFormat)[] plan = [(sites[Up], NumberFormats.Baseline), (sites[Down], NumberFormats.Get("int8-dynamic(full,gptq)"))];
        Assert.All(Balancing.Resolve(plan, _ => false), a => Assert.True(a.Site.InputScales is not null || a.Site.OutputScales is not null));
        Assert.All(new[] { Up, Down }, layer => Assert.All(Balancing.Resolve(plan, s => s.Layer.Name == layer), a => Assert.True(a.Site.InputScales is null && a.Site.OutputScales is null)));
    }

    [Fact]
    public void WithoutTheLayerThatMakesThemChannelsStayAsTheyAre()
    {
        IReadOnlyDictionary<string, LayerSite> sites = Observed();
        ModelProto mixed = model.Proto.Clone();
        LayerRewriter.Apply(mixed, [(sites[Down], NumberFormats.Get("int8-dynamic(full,gptq)"))], Weight);
        Assert.Equal(model.Initializers["wu"], mixed.Graph.Initializer.First(t => t.Name == "wu"));
        using Session session = Session.Create(mixed, SessionSettings.Default);
        double error = session.Run(Feed())["y"].Values<float>().ToArray().Zip(OutputsOf(plain), (a, b) => Math.Abs(a - b)).Max();
        Assert.InRange(error, 0, 0.05 * OutputsOf(plain).Max(Math.Abs));
    }

    public void Dispose() => model.Dispose();

    private Tensor Weight(string name) => model.Initializer(name)!;

    private static Dictionary<string, LayerSite> SitesOf(OnnxModel of)
    {
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(of);
        Partition partition = Partitioner.Partition(of, types);
        return partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(of, partition.View, types, l));
    }

    private IReadOnlyDictionary<string, LayerSite> Observed() => Observed(model, partition, types, plain, Feed());

    /// <summary>Layers with what they read in one sample.</summary>
    internal static IReadOnlyDictionary<string, LayerSite> Observed(
        OnnxModel of, Partition partition, IReadOnlyDictionary<string, TensorType> types, IReadOnlyDictionary<string, LayerSite> plain, IReadOnlyDictionary<string, Tensor> feed)
    {
        var moments = new Dictionary<string, InputMoments>();
        Observer.Run(
            new ObservationRequest(of, partition, types, plain, [.. plain.Values.Where(s => s.HasWeightMatrix).Select(s => s.Layer.Input).Distinct()], [new Sample("test", feed, null)], 1),
            (value, sums) => moments.Add(value, new InputMoments(sums.Inputs, sums.Rows, sums.Width, value, () => sums.Total())),
            _ => { },
            _ => { },
            TestContext.Current.CancellationToken);
        return Balancing.Observe(partition.View, plain, moments, name => of.Initializer(name)!);
    }

    private float[] OutputsOf(IReadOnlyDictionary<string, LayerSite> sites, params (string Layer, NumberFormat Format)[] formats)
    {
        ModelProto mixed = model.Proto.Clone();
        LayerRewriter.Apply(mixed, [.. sites.Values.Select(s => (s, formats.FirstOrDefault(f => f.Layer == s.Layer.Name).Format ?? NumberFormats.Baseline))], Weight);
        using Session session = Session.Create(mixed, SessionSettings.Default with { Threads = 1 });
        return session.Run(Feed())["y"].Values<float>().ToArray();
    }

    /// <summary>A format that multiplies by the weight as it is prepared.</summary>
    internal static NumberFormat FloatWeights(bool balances) => NumberFormats.Get("int8-dynamic(full,gptq)") with
    {
        Name = $"floats {balances}",
        BalancesChannels = balances,
        Prepare = (site, weight) =>
        {
            var values = new float[site.InputSize * site.OutputSize];
            site.ForEachColumn(weight, (column, own) =>
            {
                for (int row = 0; row < own.Length; row++)
                {
                    values[(row * site.OutputSize) + column] = own[row];
                }
            });
            return [Tensor.Of<float>(values, site.InputSize, site.OutputSize)];
        },
        Emit = e => e.Product("MatMul", "", [e.Input, e.Constants[0]]),
    };

    private static Dictionary<string, Tensor> Feed() => new() { ["x"] = LayerModels.Random(11, Rows, Inputs) };

    /// <summary>y = (σ(x·v) ⊙ (x·w))·z, a few columns of w far larger than the others.</summary>
    private static ModelProto Gated()
    {
        float[] up = LayerModels.Random(12, Inputs, Hidden).Values<float>().ToArray();
        for (int i = 0; i < up.Length; i++)
        {
            up[i] *= i % Hidden % 16 == 0 ? 40 : 1;
        }

        ModelProto gated = LayerModels.Model(
            [("x", [Rows, Inputs])],
            b =>
            {
                b.NodeTo(["g"], "MatMul", "", ["x", "wg"]);
                b.NodeTo(["u"], "MatMul", "", ["x", "wu"]);
                b.NodeTo(["s"], "Sigmoid", "", ["g"]);
                b.NodeTo(["h"], "Mul", "", ["s", "u"]);
                b.NodeTo(["y"], "MatMul", "", ["h", "wd"]);
            },
            ("wg", LayerModels.Random(13, Inputs, Hidden)),
            ("wu", Tensor.Of<float>(up, Inputs, Hidden)),
            ("wd", LayerModels.Random(14, Hidden, Outputs)));
        gated.Graph.Node.First(n => n.Output[0] == "u").Name = Up;
        gated.Graph.Node.First(n => n.Output[0] == "y").Name = Down;
        return gated;
    }
}
