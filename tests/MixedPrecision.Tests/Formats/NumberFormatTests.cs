using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Verification;

namespace MixedPrecision.Tests.Formats;

public class NumberFormatTests
{
    /// <summary>Largest error relative to the result's root mean square that rounding to so many bits explains, with room for the tail.</summary>
    private static readonly Dictionary<string, double> Tolerance = new()
    {
        ["int8-dynamic"] = 0.02,
        ["int8-static"] = 0.03,
        ["int8-weight"] = 0.02,
        ["int4-weight"] = 0.2,
        ["int2-weight"] = 0.5,
        ["fp16"] = 0.0005,
        ["bf16"] = 0.004,
        ["fp8-e4m3"] = 0.06,
        ["fp8-e5m2"] = 0.12,
    };

    /// <summary>Every format of every family that applies to weight matrices.</summary>
    public static TheoryData<string> Quantized() =>
        [.. FormatFamilies.All.SelectMany(f => f.All).Select(id => id.Text).Where(text => text != FormatFamilies.Baseline && NumberFormats.Get(text).IsFor(LayerKind.MatMul))];

    public static TheoryData<string> Integers() => [.. FormatFamilies.All.SelectMany(f => f.All).Select(id => id.Text).Where(text => text.StartsWith("int", StringComparison.Ordinal) && !NumberFormats.Get(text).ReadsRanges)];

    [Fact]
    public void EveryFormatThatAPolicyMayNameIsThere() => Assert.All(FormatFamilies.All.SelectMany(f => f.All), id =>
    {
        NumberFormat format = NumberFormats.Get(id.Text);
        Assert.Equal(id.Text, format.Name);
        Assert.DoesNotContain(' ', format.Name + format.KernelIdentity);
        Assert.Same(format, NumberFormats.Get(id.Text.Replace(",", " , ", StringComparison.Ordinal)));
    });

    [Fact]
    public void WhatDecidesOnTheTimeIsInTheKernelsIdentity()
    {
        string Kernel(string text) => NumberFormats.Get(text).KernelIdentity;
        Assert.Distinct(new[] { "fp32", "int8-dynamic", "int8-dynamic(products)", "int8-weight", "int8-weight(block=64)", "int8-weight(zero-points)", "int4-weight", "int4-weight(block=16)", "int4-weight(zero-points)", "int4-weight(accuracy=0)", "int2-weight" }.Select(Kernel));
        Assert.Equal(Kernel("int8-dynamic(paired)"), Kernel("int8-dynamic(full)"));
        Assert.Equal("MatMulNBits(bits=4,block=128,accuracy=4)", Kernel("int4-weight(block=128)"));
        Assert.Equal("MatMulNBits(bits=4,block=32,zero-points,accuracy=0)", Kernel("int4-weight(accuracy=0,zero-points)"));
    }

    [Theory]
    [MemberData(nameof(Quantized))]
    public void MatMulInTheFormatIsCloseToTheOriginal(string format) => Check(format, LayerModels.MatMul(rows: 7, inputs: 96, outputs: 24), 7, 96);

    [Theory]
    [MemberData(nameof(Quantized))]
    public void BlocksThatDoNotDivideTheInputsArePadded(string format) => Check(format, LayerModels.MatMul(rows: 3, inputs: 45, outputs: 10), 3, 45);

    [Theory]
    [MemberData(nameof(Quantized))]
    public void GemmKeepsItsAlphaBetaBiasAndTransposition(string format) => Check(format, LayerModels.Gemm(inputs: 64, outputs: 20), 5, 64);

    [Fact]
    public void ProductOfActivationsRunsInIntegers()
    {
        ModelProto model = LayerModels.Product();
        (Tensor exact, Tensor mixed) = Run(model, FormatTexts.Products, new() { ["x"] = Random(1, 2, 6, 16), ["z"] = Random(2, 2, 16, 6) });
        AssertClose(exact, mixed, Tolerance["int8-dynamic"]);
    }

    [Theory]
    [InlineData("int8-dynamic", "both operands are activations; 'int8-dynamic(products)' is the format for these")]
    [InlineData("int8-dynamic(full)", "both operands are activations; 'int8-dynamic(products)' is the format for these")]
    [InlineData("int8-weight", "both operands are activations; there is no weight to store in fewer bits")]
    [InlineData("int4-weight", "both operands are activations; there is no weight to store in fewer bits")]
    public void ProductOfActivationsHasNoWeightFormat(string format, string reason)
    {
        (LayerSite site, _) = Site(LayerModels.Product());
        Assert.Equal(reason, NumberFormats.Get(format).WhyNot(site));
        Assert.False(NumberFormats.Get(format).IsFor(site.Layer.Kind));
    }

    [Fact]
    public void AWeightMatrixHasNoFormatOfProducts()
    {
        (LayerSite site, _) = Site(LayerModels.MatMul(7, 96, 24));
        Assert.Equal("one operand is a constant weight; 'int8-dynamic' is the format for these", NumberFormats.Get(FormatTexts.Products).WhyNot(site));
    }

    [Theory]
    [MemberData(nameof(Integers))]
    public void ConvolutionsStayAndTheReasonIsGiven(string format)
    {
        (LayerSite site, _) = Site(LayerModels.Convolution());
        Assert.Contains("convolution", NumberFormats.Get(format).WhyNot(site), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Quantized))]
    public void BytesAreThoseOfTheEmittedConstants(string format)
    {
        ModelProto proto = LayerModels.MatMul(rows: 7, inputs: 80, outputs: 24);
        (LayerSite site, Func<string, Tensor> weight) = Site(proto);
        NumberFormat f = NumberFormats.Get(format);
        Assert.Equal(f.Prepare(site, weight(site.Layer.Weight)).Sum(t => t.Bytes.Length), f.Bytes(site));
    }

    /// <summary>Processors without VNNI add two products in 16 bits: 255 · 128 fits.</summary>
    [Fact]
    public void NeighbouringWeightsDoNotSaturate()
    {
        (LayerSite site, Func<string, Tensor> weight) = Site(LayerModels.MatMul(rows: 7, inputs: 95, outputs: 70));
        IReadOnlyList<Tensor> constants = NumberFormats.Get("int8-dynamic").Prepare(site, weight(site.Layer.Weight));
        sbyte[] quantized = constants[0].Values<sbyte>().ToArray();
        int largest = Enumerable.Range(0, 70).Max(column => Enumerable.Range(0, 95).Select(row => (int)quantized[(row * 70) + column]).Chunk(2)
            .Max(pair => Math.Max(pair.Where(v => v > 0).Sum(), -pair.Where(v => v < 0).Sum())));
        Assert.InRange(largest, 126, 128);
        float[] values = weight(site.Layer.Weight).Values<float>().ToArray(), scales = constants[1].Values<float>().ToArray();
        Assert.All(values.Index(), v => Assert.InRange(Math.Abs(v.Item - (quantized[v.Index] * scales[v.Index % 70])), 0, scales[v.Index % 70] * 0.5001f));
    }

    /// <summary>The largest weight of a column is 127 steps: at most twice as fine as what leaves room for two of them.</summary>
    [Fact]
    public void FullScalesUseAllOfTheRange()
    {
        (LayerSite site, Func<string, Tensor> weight) = Site(LayerModels.MatMul(rows: 7, inputs: 95, outputs: 70));
        NumberFormat full = NumberFormats.Get("int8-dynamic(full)"), paired = NumberFormats.Get("int8-dynamic(paired)");
        Assert.True(full.NeedsExactSums && !paired.NeedsExactSums);
        float[] values = weight(site.Layer.Weight).Values<float>().ToArray(), steps = full.WeightSteps(site, weight(site.Layer.Weight)), wider = paired.WeightSteps(site, weight(site.Layer.Weight));
        sbyte[] quantized = full.Prepare(site, weight(site.Layer.Weight))[0].Values<sbyte>().ToArray();
        Assert.All(Enumerable.Range(0, 70), column =>
        {
            Assert.Equal(values.Where((_, i) => i % 70 == column).Max(MathF.Abs) / 127, steps[column], 1e-7f);
            Assert.Equal(127, quantized.Where((_, i) => i % 70 == column).Max(v => Math.Abs((int)v)));
            Assert.InRange(wider[column] / steps[column], 1, 2);
        });
    }

    [Theory]
    [MemberData(nameof(Quantized))]
    public void TheWeightNobodyReadsIsDropped(string format)
    {
        ModelProto proto = LayerModels.MatMul(rows: 7, inputs: 96, outputs: 24);
        ModelProto mixed = Rewrite(proto, format);
        Assert.DoesNotContain(mixed.Graph.Initializer, t => t.Name == "w");
        Assert.Contains(proto.Graph.Initializer, t => t.Name == "w");
    }

    [Fact]
    public void LayersThatReadOneActivationShareItsQuantization()
    {
        ModelProto mixed = Rewrite(LayerModels.TwoReaders(), "int8-dynamic");
        Assert.Equal(1, mixed.Graph.Node.Count(n => n.OpType == "DynamicQuantizeLinear"));
        Assert.Equal(2, mixed.Graph.Node.Count(n => n.OpType == "MatMulInteger"));
    }

    [Theory]
    [MemberData(nameof(Quantized))]
    public void LayersOfHalfPrecisionKeepTheirTypeAroundTheKernel(string format)
    {
        ModelProto gemm = LayerModels.Gemm(inputs: 64, outputs: 20);
        Tensor x = Random(1, 5, 64);
        using Session original = Session.Create(gemm, SessionSettings.Default);
        using Session mixed = Session.Create(Rewrite(HalfModels.Narrow(gemm), format), SessionSettings.Default);
        Tensor result = mixed.Run(new Dictionary<string, Tensor> { ["x"] = HalfModels.Narrow(x) })["y"];
        Assert.Equal(ElementType.Float16, result.ElementType);
        AssertClose(original.Run(new Dictionary<string, Tensor> { ["x"] = x })["y"], HalfPrecision.Widen(result), Tolerance[FormatId.Parse(format).Family.Name]);
    }

    [Fact]
    public void TheRuntimeFusesTheIntegerPatternIntoOneKernel()
    {
        ModelProto mixed = Rewrite(LayerModels.MatMul(rows: 7, inputs: 96, outputs: 24), "int8-dynamic");
        Assert.Contains("DynamicQuantizeMatMul", LayerModels.OperatorsAfterOptimization(mixed));
    }

    private static void Check(string format, ModelProto model, int rows, int inputs)
    {
        (Tensor exact, Tensor mixed) = Run(model, format, new() { ["x"] = Random(1, rows, inputs) });
        AssertClose(exact, mixed, Tolerance[FormatId.Parse(format).Family.Name]);
    }

    private static (Tensor Exact, Tensor Mixed) Run(ModelProto model, string format, Dictionary<string, Tensor> inputs)
    {
        using Session original = Session.Create(model, SessionSettings.Default);
        using Session mixed = Session.Create(Rewrite(model, format), SessionSettings.Default);
        return (original.Run(inputs)["y"], mixed.Run(inputs)["y"]);
    }

    private static void AssertClose(Tensor exact, Tensor mixed, double tolerance)
    {
        ReadOnlySpan<float> a = exact.Values<float>(), b = mixed.Values<float>();
        double squares = 0, errors = 0;
        for (int i = 0; i < a.Length; i++)
        {
            squares += a[i] * a[i];
            errors += (a[i] - b[i]) * (a[i] - b[i]);
        }

        double relative = Math.Sqrt(errors / squares);
        Assert.InRange(relative, 1e-7, tolerance);
    }

    /// <summary>An export without constant folding stores [outputs, inputs] and transposes it: the stored weight goes with the layer.</summary>
    [Fact]
    public void AWeightBehindATransposeIsDroppedWithIt()
    {
        var graph = new GraphProto { Name = "unfolded" };
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(64)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(32)]).ToProto("y"));
        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string transposed = b.Node("Transpose", [b.Constant(Random(5, 32, 64), "stored")], Attributes.Of("perm", [1L, 0L]));
        b.NodeTo(["y"], "MatMul", "", ["x", transposed]);
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        ModelProto mixed = Rewrite(model, "int8-weight");
        Assert.DoesNotContain(mixed.Graph.Node, n => n.OpType == "Transpose");
        Assert.DoesNotContain(mixed.Graph.Initializer, i => i.Name == "stored");
        Assert.Contains(model.Graph.Initializer, i => i.Name == "stored");
        using var emitted = new EmittedModel(model, "int8-weight");
        emitted.Check();
    }

    private static ModelProto Rewrite(ModelProto model, string format)
    {
        ModelProto mixed = model.Clone();
        using var loaded = new OnnxModel(model, ".", "test");
        Partition partition = Partitioner.Partition(loaded, TypeInference.Infer(loaded));
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(loaded);
        LayerRewriter.Apply(
            mixed,
            [.. partition.Layers.Select(l => (LayerModels.SiteOf(loaded, partition, types, l) with { Ranges = new LayerRanges(ValueRange.Of(-1, 1), null) }, NumberFormats.Get(format)))],
            name => Weights.Read(loaded, partition.View, name)!);
        return mixed;
    }

    private static (LayerSite Site, Func<string, Tensor> Weight) Site(ModelProto model)
    {
        var loaded = new OnnxModel(model, ".", "test");
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(loaded);
        Partition partition = Partitioner.Partition(loaded, types);
        return (LayerModels.SiteOf(loaded, partition, types, partition.Layers.First()), name => Weights.Read(loaded, partition.View, name)!);
    }

    private static Tensor Random(int seed, params long[] shape)
    {
        var random = new Random(seed);
        return Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)((random.NextDouble() * 2) - 1))], shape);
    }
}
