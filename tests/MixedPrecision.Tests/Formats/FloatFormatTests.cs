using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Verification;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Formats;

/// <summary>What is emitted for floating formats computes the layer's own operator on rounded operands, for every kind of layer, old operator sets and all optimizations.</summary>
public class FloatFormatTests
{
    private static readonly Dictionary<string, (FloatType Type, bool IsScaled)> Formats = new()
    {
        ["fp16"] = (FloatType.Half, false),
        ["bf16"] = (FloatType.BFloat16, false),
        ["fp8-e4m3"] = (FloatType.E4M3, true),
        ["fp8-e5m2"] = (FloatType.E5M2, false),
    };

    private static readonly Dictionary<string, Func<ModelProto>> Models = new()
    {
        ["matrix"] = () => LayerModels.MatMul(7, 96, 24),
        ["gemm"] = () => LayerModels.Gemm(64, 20),
        ["two readers"] = LayerModels.TwoReaders,
        ["product"] = LayerModels.Product,
        ["square"] = () => LayerModels.Model([("x", [2, 6, 6])], b => b.NodeTo(["y"], "MatMul", "", ["x", "x"])),
        ["stack of matrices"] = () => LayerModels.Model([("x", [2, 5, 8])], b => b.NodeTo(["y"], "MatMul", "", ["x", "w"]), ("w", LayerModels.Random(3, 2, 8, 6))),
        ["vector"] = () => LayerModels.Model([("x", [5, 8])], b => b.NodeTo(["y"], "MatMul", "", ["x", "w"]), ("w", LayerModels.Random(3, 8))),
        ["convolution"] = LayerModels.Convolution,
        ["grouped convolution with bias"] = () => LayerModels.Model(
            [("x", [2, 4, 9, 9])],
            b => b.NodeTo(["y"], "Conv", "", ["x", "w", "c"], Attributes.Of("group", 2L), Attributes.Of("strides", [2L, 2L]), Attributes.Of("pads", [1L, 1L, 1L, 1L])),
            ("w", LayerModels.Random(6, 6, 2, 3, 3)),
            ("c", LayerModels.Random(5, 6))),
        ["transposed convolution"] = () => LayerModels.Model(
            [("x", [1, 3, 5, 5])], b => b.NodeTo(["y"], "ConvTranspose", "", ["x", "w", "c"], Attributes.Of("strides", [2L, 2L])), ("w", LayerModels.Random(6, 3, 4, 3, 3)), ("c", LayerModels.Random(5, 4))),
    };

    public static TheoryData<string, string> Cases() => new(Formats.Keys.SelectMany(f => Models.Keys.Select(m => (f, m))));

    public static TheoryData<string, int> Versions() => new(Formats.Keys.SelectMany(f => new[] { 8, 9, 11, 13, 17, 19, 21 }.Select(v => (f, v))));

    public static TheoryData<string> Names() => [.. Formats.Keys];

    [Theory]
    [MemberData(nameof(Cases))]
    public void ALayerIsItsOwnOperatorOnRoundedOperands(string format, string model)
    {
        using var emitted = new EmittedModel(Models[model](), format);
        IReadOnlyList<RewrittenLayer> layers = emitted.Check();
        Assert.Equal(emitted.Plan.Count, layers.Count);
        KernelCheck.Check(emitted.Mixed, layers, SessionSettings.Default);
        Dictionary<string, Tensor> inputs = Inputs(emitted.Model.Proto);
        Tensor expected = Reference(emitted.Model.Proto, Formats[format], inputs);
        Tensor plain = Run(emitted.Mixed, inputs, GraphOptimizationLevel.ORT_DISABLE_ALL), optimized = Run(emitted.Mixed, inputs, GraphOptimizationLevel.ORT_ENABLE_ALL);
        AssertNear(expected, plain, 1e-6);
        AssertNear(plain, optimized, 1e-6);
    }

    [Theory]
    [MemberData(nameof(Versions))]
    public void ModelsOfOldOperatorSetsRunToo(string format, int version)
    {
        ModelProto proto = LayerModels.MatMul(7, 96, 24);
        proto.OpsetImport[0].Version = version;
        using var emitted = new EmittedModel(proto, format);
        emitted.Check();
        Dictionary<string, Tensor> inputs = Inputs(proto);
        AssertNear(Reference(proto, Formats[format], inputs), Run(emitted.Mixed, inputs, GraphOptimizationLevel.ORT_ENABLE_ALL), 1e-6);
    }

    /// <summary>Magnitudes beyond the range become the largest, and no infinity; zeros alone give zeros.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void NothingOverflows(string format)
    {
        using var emitted = new EmittedModel(LayerModels.MatMul(7, 96, 24), format);
        foreach (float factor in new[] { 0, 1e-30f, 1e6f, 1e30f })
        {
            Dictionary<string, Tensor> inputs = Inputs(emitted.Model.Proto).ToDictionary(i => i.Key, i => Tensor.Of<float>([.. i.Value.Values<float>().ToArray().Select(v => v * factor)], i.Value.Shape));
            float[] result = Run(emitted.Mixed, inputs, GraphOptimizationLevel.ORT_ENABLE_ALL).Values<float>().ToArray();
            Assert.All(result, v => Assert.True(float.IsFinite(v)));
            Assert.Equal(factor == 0 || (factor < 1 && format is "fp16" or "fp8-e5m2"), result.All(v => v == 0));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void TheWeightIsStoredInTheTypeAndOnceForAllReaders(string format)
    {
        (FloatType type, _) = Formats[format];
        ModelProto proto = LayerModels.Model(
            [("x", [4, 32])], b => b.NodeTo(["y"], "Add", "", [b.MatMul("x", "w"), b.Node("Gemm", ["x", "w"], Attributes.Of("transB", 1), Attributes.Of("alpha", 0.5f))]), ("w", LayerModels.Random(7, 32, 32)));
        using var emitted = new EmittedModel(proto, format);
        ModelProto mixed = ModelProto.Parser.ParseFrom(File.ReadAllBytes(emitted.Mixed));
        TensorProto stored = Assert.Single(mixed.Graph.Initializer, t => t.Dims.Count == 2);
        Assert.Equal((type.ElementType, 32 * 32 * type.Bits / 8), (stored.DataType, stored.RawData.Length));
        Assert.Equal(2, mixed.Graph.Node.Count(n => n.OpType == "Cast" && n.Output[0] is var o && mixed.Graph.Node.Any(r => r.Input.Contains(o)) && n.Input[0] != stored.Name));
        Assert.Equal(1, mixed.Graph.Node.Count(n => n.Input.Contains(stored.Name)));
    }

    /// <summary>The integers' pattern is fused as before in a model that 8-bit floats raised to a newer operator set.</summary>
    [Theory]
    [InlineData("int8-dynamic")]
    [InlineData("int8-weight")]
    public void OtherFormatsKeepTheirKernelsBesideThem(string other)
    {
        using var emitted = new EmittedModel("fp8-e4m3", other);
        IReadOnlyList<RewrittenLayer> layers = emitted.Check();
        Assert.Equal(2, layers.Count);
        KernelCheck.Check(emitted.Mixed, layers, SessionSettings.Default);
    }

    [Fact]
    public void ALayerThatComputesInTheTypeAlreadyHasNothingToRound()
    {
        using var emitted = new EmittedModel(HalfModels.Narrow(LayerModels.Gemm(64, 20)), "bf16");
        LayerSite site = emitted.Plan[0].Site;
        Assert.Equal("the layer computes in float16 already", NumberFormats.Get("fp16").WhyNot(site));
        Assert.Null(NumberFormats.Get("bf16").WhyNot(site));
        emitted.Check();
    }

    private static Dictionary<string, Tensor> Inputs(ModelProto model) => model.Graph.Input.Index()
        .ToDictionary(i => i.Item.Name, i => LayerModels.Random(11 + i.Index, TensorType.Read(i.Item.Type).StaticShape()!));

    /// <summary>The original on operands that were rounded beforehand: what every layer reads here are inputs and weights.</summary>
    private static Tensor Reference(ModelProto model, (FloatType Type, bool IsScaled) format, Dictionary<string, Tensor> inputs)
    {
        ModelProto rounded = model.Clone();
        foreach (TensorProto weight in rounded.Graph.Initializer.Where(t => t.Name != "c").ToArray())
        {
            Tensor tensor = TensorProtos.Read(weight, new ExternalData(""));
            float scale = format.Type.Bits == 8 ? format.Type.ScaleFor(tensor.Values<float>().ToArray().Max(MathF.Abs)) : 1;
            rounded.Graph.Initializer[rounded.Graph.Initializer.IndexOf(weight)] = Round(format.Type, tensor, scale).ToProto(weight.Name);
        }

        using Session session = Session.Create(rounded, SessionSettings.Plain);
        return session.Run(inputs.ToDictionary(i => i.Key, i => Round(
            format.Type, i.Value, format.IsScaled ? MathF.Max(i.Value.Values<float>().ToArray().Max(MathF.Abs), 1e-30f) * (float)(1 / (double)format.Type.Largest) : 1)))["y"];
    }

    private static Tensor Round(FloatType type, Tensor tensor, float scale) => Tensor.Of<float>(
        [.. FloatTypeTests.Decode(type, FloatTypeTests.Round(type, [.. tensor.Values<float>().ToArray().Select(v => v / scale)])).Select(v => v * scale)], tensor.Shape);

    private static Tensor Run(string path, Dictionary<string, Tensor> inputs, GraphOptimizationLevel level)
    {
        using Session session = Session.Open(path, SessionSettings.Default with { Optimization = level });
        return session.Run(inputs)["y"];
    }

    private static void AssertNear(Tensor expected, Tensor actual, double tolerance)
    {
        float[] reference = expected.Values<float>().ToArray();
        double scale = reference.Max(Math.Abs);
        Assert.All(reference.Zip(actual.Values<float>().ToArray()), pair => Assert.Equal(pair.First, pair.Second, tolerance * scale));
    }
}
