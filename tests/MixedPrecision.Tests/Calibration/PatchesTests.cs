using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Patches of convolutions, their moments, and weights rounded by these.</summary>
public class PatchesTests
{
    public static TheoryData<int, int, int, string, string> Convolutions() => new()
    {
        { 6, 4, 1, "3 3", "pads=1 0 2 1" },
        { 6, 9, 3, "2 3", "strides=2 1,dilations=1 2" },
        { 8, 8, 8, "3 3", "auto_pad=SAME_UPPER,strides=2 3" },
        { 4, 4, 2, "2 2", "auto_pad=SAME_LOWER" },
        { 3, 5, 1, "4", "pads=3 1" },
        { 2, 3, 1, "2 1 3", "auto_pad=VALID" },
        { 5, 7, 1, "1 1", "" },
    };

    /// <summary>An output is the product of a patch and a kernel.</summary>
    [Theory]
    [MemberData(nameof(Convolutions))]
    public void TheirProductsWithWeightsAreTheConvolution(int inputs, int outputs, int groups, string kernel, string attributes)
    {
        long[] sizes = [.. kernel.Split(' ').Select(long.Parse)], shape = [2, inputs, .. sizes.Select((_, i) => 7L + i)];
        using OnnxModel model = Model(shape, LayerModels.Random(1, [outputs, inputs / groups, .. sizes]), [Attributes.Of("group", groups), .. attributes.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(a => a.Split('=')).Select(a => a[0] == "auto_pad" ? Attributes.Of(a[0], a[1]) : Attributes.Of(a[0], a[1].Split(' ').Select(long.Parse)))]);
        LayerSite site = Sites(model).Values.Single();
        Tensor x = LayerModels.Random(2, shape), w = model.Initializer("w")!;
        using Session session = Session.Create(model.Proto, SessionSettings.Default);
        Tensor y = session.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"];
        var patches = new Patches(site, x.Shape);
        Assert.Equal((site.RowSize, groups, y.Count / outputs), (patches.Inputs, patches.Groups, patches.Count));
        float[] rows = patches.Some(x, int.MaxValue).Values<float>().ToArray(), weight = w.Values<float>().ToArray(), given = y.Values<float>().ToArray();
        for (int i = 0; i < given.Length; i++)
        {
            int window = patches.Count / 2, output = i / window % outputs, row = (i / window / outputs * window) + (i % window), group = output / (outputs / groups);
            double sum = Enumerable.Range(0, patches.Inputs).Sum(k => (double)rows[(((row * groups) + group) * patches.Inputs) + k] * weight[(output * patches.Inputs) + k]);
            Assert.Equal(sum, given[i], 1e-4);
        }
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(4, 3)]
    [InlineData(16, 3)]
    [InlineData(1, 1)]
    public void WeightsRoundedByThemChangeOutputsLess(int groups, int kernel)
    {
        const int Channels = 16, Size = 24;
        using OnnxModel model = Model([1, Channels, Size, Size], LayerModels.Random(3, Channels, Channels / groups, kernel, kernel), [Attributes.Of("group", groups), Attributes.Of("pads", [(long)(kernel / 2), kernel / 2, kernel / 2, kernel / 2])]);
        IReadOnlyDictionary<string, LayerSite> sites = Sites(model);
        InputMoments moments = Observe(model, sites, threads: 2);
        LayerSite site = sites.Values.Single();
        Tensor weight = model.Initializer("w")!;
        NumberFormat format = NumberFormats.Get("int8-static(narrow)");
        double rounded = Error(site), compensated = Error(site with { Moments = moments });
        Assert.InRange(compensated / rounded, 0, 0.6);

        // Both lie on a grid of 7 bits, with zeros where channels are padded.
        IReadOnlyList<Tensor> constants = format.Prepare(site with { Moments = moments }, weight);
        Assert.All(constants[0].Values<sbyte>().ToArray(), v => Assert.InRange(v, (sbyte)-63, (sbyte)63));
        Assert.Equal(constants[0].Bytes.ToArray(), format.Prepare(site with { Moments = Observe(model, sites, threads: 1) }, weight)[0].Bytes.ToArray());
        Assert.Equal(NumberFormats.Get("int8-static(narrow,rounded)").Prepare(site with { Moments = moments }, weight)[0].Bytes.ToArray(), format.Prepare(site, weight)[0].Bytes.ToArray());

        // On a sample that the moments are not of.
        double Error(LayerSite own)
        {
            float[] held = format.HeldWeight!(own, format.Prepare(own, weight)).Values<float>().ToArray(), exact = weight.Values<float>().ToArray();
            ModelProto difference = model.Proto.Clone();
            difference.Graph.Initializer[0] = Tensor.Of<float>([.. held.Zip(exact, (h, e) => h - e)], weight.Shape).ToProto("w");
            using Session session = Session.Create(difference, SessionSettings.Default);
            return session.Run(new Dictionary<string, Tensor> { ["x"] = Smooth(99, Channels, Size) })["y"].Values<float>().ToArray().Sum(v => (double)v * v);
        }
    }

    /// <summary>Layers that take the same patches of one value share moments, others do not.</summary>
    [Fact]
    public void TheyAreNamedByWhatIsReadAndHow()
    {
        ModelProto proto = LayerModels.Model(
            [("x", [1, 4, 8, 8])],
            b => b.NodeTo(["y"], "Concat", "", [b.Node("Conv", ["x", "w"]), b.Node("Conv", ["x", "v"]), b.Node("Conv", ["x", "v"], Attributes.Of("dilations", [2L, 2]), Attributes.Of("pads", [1L, 1, 1, 1]))], Attributes.Of("axis", 1)),
            ("w", LayerModels.Random(1, 4, 4, 3, 3)),
            ("v", LayerModels.Random(2, 8, 4, 3, 3)));
        using var model = new OnnxModel(proto, ".", "made");
        string[] rows = [.. Sites(model).Values.Select(s => s.MomentsOf!)];
        Assert.Equal((rows[0], 2), (rows[1], rows.Distinct().Count()));
    }

    private static OnnxModel Model(long[] shape, Tensor weight, AttributeProto[] attributes) =>
        new(LayerModels.Model([("x", shape)], b => b.NodeTo(["y"], "Conv", "", ["x", "w"], attributes), ("w", weight)), ".", "made");

    private static Dictionary<string, LayerSite> Sites(OnnxModel model)
    {
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        return partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(model, partition.View, types, l));
    }

    private static InputMoments Observe(OnnxModel model, IReadOnlyDictionary<string, LayerSite> sites, int threads)
    {
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Sample[] samples = [.. Enumerable.Range(0, 12).Select(i => new Sample($"{i}", new Dictionary<string, Tensor> { ["x"] = Smooth(i, 16, 24) }, null))];
        InputMoments? moments = null;
        Observer.Run(
            new ObservationRequest(model, Partitioner.Partition(model, types), types, sites, [.. sites.Values.Select(s => s.MomentsOf!)], samples, threads),
            (_, sums) => moments = sums.Total() is var total ? new InputMoments(sums.Inputs, sums.Rows, sums.Width, sums.HashOf(total), () => total) : null,
            _ => { },
            _ => { },
            TestContext.Current.CancellationToken);
        return moments!;
    }

    /// <summary>Pictures of few waves, whose channels are mixtures of some: neighbours are alike, as in what layers read.</summary>
    private static Tensor Smooth(int seed, int channels, int size)
    {
        var random = new Random(seed);
        (double Across, double Down, double Phase)[] waves = [.. Enumerable.Range(0, 4).Select(_ => (random.NextDouble() * 0.4, random.NextDouble() * 0.4, random.NextDouble() * 6))];
        double[] mixture = [.. new Random(7) is var fixedly ? Enumerable.Range(0, channels * 4).Select(_ => fixedly.NextDouble() - 0.5) : []];
        return Tensor.Of<float>(
            [
                .. from c in Enumerable.Range(0, channels)
                   from row in Enumerable.Range(0, size)
                   from column in Enumerable.Range(0, size)
                   select (float)(1 + waves.Select((w, i) => mixture[(c * 4) + i] * Math.Sin((w.Across * column) + (w.Down * row) + w.Phase)).Sum() + (0.02 * random.NextDouble())),
            ],
            1, channels, size, size);
    }
}
