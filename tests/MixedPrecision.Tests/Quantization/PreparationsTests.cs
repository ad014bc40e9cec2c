using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Formats;
using MixedPrecision.Tests.Verification;

namespace MixedPrecision.Tests.Quantization;

/// <summary>What formats prepare from weights is computed once and kept by content.</summary>
public sealed class PreparationsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public static TheoryData<string, bool> Cases => [.. FormatTexts.ForWeights.SelectMany(f => new[] { (f.Name, false), (f.Name, true) })];

    /// <summary>Small ones are entries of the cache, large ones files that are mapped.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void TheCacheGivesWhatTheFormatPrepares(string name, bool isLarge)
    {
        NumberFormat format = NumberFormats.Get(name);
        (LayerSite site, Tensor weight) = isLarge ? Site(LayerModels.MatMul(1, 1500, 1510)) : Site(LayerModels.Gemm(64, 20));
        IReadOnlyList<Tensor> wanted = format.Prepare(site, weight);
        using (var first = new Preparations(new ContentStore(folder.Path)))
        {
            Equal(wanted, first.Get(site, format, weight));
            Equal(wanted, first.Get(site, format, weight));
            Assert.Equal(1, first.Computed);
        }

        using var second = new Preparations(new ContentStore(folder.Path));
        Equal(wanted, second.Get(site, format, weight));
        Assert.Equal(0, second.Computed);
    }

    [Fact]
    public void WithoutACacheTheyAreKeptInMemory()
    {
        (LayerSite site, Tensor weight) = Site(LayerModels.MatMul(1, 96, 24));
        using var preparations = new Preparations();
        IReadOnlyList<Tensor> first = preparations.Get(site, NumberFormats.Get("int8-dynamic"), weight);
        Assert.Same(first, preparations.Get(site, NumberFormats.Get("int8-dynamic"), weight));
        Assert.Equal(1, preparations.Computed);
    }

    /// <summary>Content, format, orientation and alpha decide, and not the name.</summary>
    [Fact]
    public void WhatDecidesIsInTheKey()
    {
        using var preparations = new Preparations(new ContentStore(folder.Path));
        (LayerSite site, Tensor weight) = Site(LayerModels.Gemm(64, 64));
        NumberFormat format = NumberFormats.Get("int8-dynamic");
        byte[] changed = weight.Bytes.ToArray();
        changed[3] ^= 1;
        NodeProto Node(Action<NodeProto> edit)
        {
            NodeProto node = site.Node.Clone();
            edit(node);
            return node;
        }

        LayerSite[] sites = [site, site with { Node = Node(n => n.Attribute("transB")!.I = 0) }, site with { Node = Node(n => n.Attribute("alpha")!.F = 0.25f) }];
        foreach (LayerSite one in sites)
        {
            foreach (NumberFormat each in FormatTexts.ForWeights)
            {
                Equal(each.Prepare(one, weight), preparations.Get(one, each, weight));
            }
        }

        var other = new Tensor(weight.ElementType, weight.Shape, changed);
        Equal(format.Prepare(site, other), preparations.Get(site, format, other));
        Assert.Equal((sites.Length * (FormatTexts.ForWeights.Count)) + 1, preparations.Computed);
        preparations.Get(site with { Layer = site.Layer with { Name = "other", Weight = "elsewhere" } }, format, weight);
        preparations.Get(site, format with { Version = format.Version + 1 }, weight);
        Assert.Equal((sites.Length * (FormatTexts.ForWeights.Count)) + 2, preparations.Computed);

        float[] scales = [.. Enumerable.Range(0, 64).Select(i => MathF.ScaleB(1, i % 3))];
        double[,] identity = new double[64, 64];
        for (int i = 0; i < 64; i++)
        {
            identity[i, i] = 1;
        }

        InputMoments moments = CompensationTests.Of(identity, rows: 64);
        foreach (LayerSite scaled in new[] { site with { OutputScales = scales }, (site with { Balance = new ChannelBalance("up", moments, () => scales) }).Balanced() })
        {
            Equal(format.Prepare(scaled, weight), preparations.Get(scaled, format, weight));
        }

        Assert.Equal((sites.Length * (FormatTexts.ForWeights.Count)) + 4, preparations.Computed);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ADamagedEntryIsSaidAndComputedAnew(bool isLarge)
    {
        (LayerSite site, Tensor weight) = Site(isLarge ? LayerModels.MatMul(1, 1500, 1510) : LayerModels.MatMul(1, 96, 24));
        NumberFormat format = NumberFormats.Get("int8-dynamic");
        using (var first = new Preparations(new ContentStore(folder.Path)))
        {
            first.Get(site, format, weight);
        }

        foreach (string file in Directory.EnumerateFiles(folder.Path, "*", SearchOption.AllDirectories))
        {
            byte[] bytes = File.ReadAllBytes(file);
            bytes[^5] ^= 1;
            File.WriteAllBytes(file, bytes);
        }

        var warnings = new List<Diagnostic>();
        using var second = new Preparations(new ContentStore(folder.Path), warnings.Add);
        Equal(format.Prepare(site, weight), second.Get(site, format, weight));
        Assert.Equal(1, second.Computed);
        Assert.Equal(Codes.CacheEntryDamaged, Assert.Single(warnings).Code);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EmissionAndItsCheckTakeThemFromThere(bool isLarge)
    {
        using EmittedModel emitted = isLarge
            ? new(LayerModels.Model([("x", [1, 1500])], b => b.NodeTo(["y"], "MatMul", "", [b.MatMul("x", "w"), "v"]), ("w", LayerModels.Random(1, 1500, 1510)), ("v", LayerModels.Random(2, 1510, 1400))), "int8-dynamic")
            : new("int8-dynamic", "int4-weight");
        using var preparations = new Preparations(new ContentStore(folder.Path));
        Quantizer.Write(emitted.Model, emitted.Plan, emitted.Weight, emitted.Mixed, preparations);
        Assert.Equal(2, preparations.Computed);
        MixedPrecision.Verification.Conformance.Check(emitted.Model, emitted.Mixed, emitted.Plan, emitted.Weight, preparations);
        Assert.Equal(2, preparations.Computed);
    }

    public void Dispose() => folder.Dispose();

    private static void Equal(IReadOnlyList<Tensor> wanted, IReadOnlyList<Tensor> found) => Assert.Equal(
        wanted.Select(t => (t.ToString(), Convert.ToHexString(t.Bytes.Span))), found.Select(t => (t.ToString(), Convert.ToHexString(t.Bytes.Span))));

    private static (LayerSite Site, Tensor Weight) Site(ModelProto model)
    {
        var loaded = new OnnxModel(model, ".", "test");
        IReadOnlyDictionary<string, TensorType> types = MixedPrecision.Execution.TypeInference.Infer(loaded);
        Partition partition = Partitioner.Partition(loaded, types);
        LayerSite site = LayerModels.SiteOf(loaded, partition, types, partition.Layers.First());
        return (site, Weights.Read(loaded, partition.View, site.Layer.Weight)!);
    }
}
