using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Formats;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Verification;

public class KernelCheckTests
{
    private static readonly Dictionary<string, Func<ModelProto>> Models = new()
    {
        ["matrix"] = () => LayerModels.MatMul(7, 96, 24),
        ["one row"] = () => LayerModels.MatMul(1, 95, 23),
        ["gemm"] = () => LayerModels.Gemm(64, 20),
        ["two readers"] = LayerModels.TwoReaders,
        ["bias"] = () => Chain([2, 5, 32], (b, y) => b.Add(y, "c")),
        ["bias and activation"] = () => Chain([5, 32], (b, y) => b.Node("Relu", [b.Add(y, "c")])),
        ["bias, reshape"] = () => Chain([2, 5, 32], (b, y) => b.Reshape(b.Add(y, "c"), b.Integers(5, -1))),
        ["scaled"] = () => Chain([5, 32], (b, y) => b.Mul(y, b.Scalar(0.5))),
        ["read twice"] = () => Chain([5, 32], (b, y) => b.Mul(b.Add(y, "c"), b.Node("Sigmoid", [y]))),
        ["half precision"] = () => HalfModels.Narrow(LayerModels.Gemm(64, 20)),
        ["half precision, bias"] = () => HalfModels.Narrow(Chain([2, 5, 32], (b, y) => b.Node("Relu", [b.Add(y, "c")]))),
        ["one weight twice"] = () => LayerModels.Model(
            [("x", [4, 32])], b => b.NodeTo(["y"], "MatMul", "", [b.Node("Relu", [b.MatMul("x", "w")]), "w"]), ("w", LayerModels.Random(7, 32, 32))),
        ["one weight, one activation"] = () => LayerModels.Model(
            [("x", [4, 32])], b => b.NodeTo(["y"], "Add", "", [b.MatMul("x", "w"), b.Node("Relu", [b.MatMul("x", "w")])]), ("w", LayerModels.Random(7, 32, 32))),
        ["product of activations"] = LayerModels.Product,
        ["attention"] = () => LayerModels.Model(
            [("x", [1, 2, 6, 16]), ("z", [1, 2, 16, 6])],
            b => b.NodeTo(["y"], "MatMul", "", [b.Node("Softmax", [b.Mul(b.MatMul("x", "z"), b.Scalar(0.25))], Attributes.Of("axis", -1L)), "x"])),
        ["product of activations, bias"] = () => LayerModels.Model(
            [("x", [6, 16]), ("z", [16, 24])], b => b.NodeTo(["y"], "Relu", "", [b.Add(b.MatMul("x", "z"), "c")]), ("c", LayerModels.Random(5, 24))),
    };

    public static TheoryData<string, string> Cases()
    {
        var data = new TheoryData<string, string>();
        // Formats that need calibration data are checked with them: Int8StaticTests.
        foreach (NumberFormat format in NumberFormats.Default.Skip(1).Where(f => !f.ReadsRanges))
        {
            foreach (string model in Models.Keys.Where(m => (format.Name == FormatTexts.Products) == (m.Contains("activations") || m == "attention")))
            {
                data.Add(format.Name, model);
            }
        }

        return data;
    }

    /// <summary>What a format promises holds for whatever surrounds its layers.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void LayersRunInThePromisedKernel(string format, string model)
    {
        using var emitted = new EmittedModel(Models[model](), format);
        IReadOnlyList<RewrittenLayer> layers = emitted.Check();
        Assert.NotEmpty(layers);
        KernelCheck.Check(emitted.Mixed, layers, SessionSettings.Default);
    }

    [Theory]
    [InlineData("two readers", "int8-dynamic")]
    [InlineData("product of activations", "int8-dynamic(products)")]
    public void ALayerThatIsNotFusedIsAnErrorThatNamesBothOperators(string model, string format)
    {
        using var emitted = new EmittedModel(Models[model](), format);

        // The runtime sees the pattern no more where another operator stands between the integer product and its scaling.
        NumberFormat unfused = NumberFormats.Get(format) with { Emit = Unfused };
        (LayerSite, NumberFormat)[] plan = [.. emitted.Plan.Select((p, i) => (p.Site, i == 0 ? unfused : p.Format))];
        Quantizer.Write(emitted.Model, plan, emitted.Weight, emitted.Mixed);
        IReadOnlyList<RewrittenLayer> layers = Conformance.Check(emitted.Model, emitted.Mixed, plan, emitted.Weight);
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => KernelCheck.Check(emitted.Mixed, layers, SessionSettings.Default)).Diagnostic;
        Assert.Equal((Codes.KernelNotAsPromised, layers[0].Site.Layer.Name, "model.mixed.onnx"), (diagnostic.Code, diagnostic.Place.Node, diagnostic.Place.File));
        Assert.Contains("expected is com.microsoft.DynamicQuantizeMatMul or com.microsoft.MatMulIntegerToFloat, found in the optimized graph is MatMulInteger", diagnostic.Message);
    }

    [Fact]
    public void AnotherAttributeThanPromisedIsAnError()
    {
        using var emitted = new EmittedModel("int4-weight", "fp32");
        IReadOnlyList<RewrittenLayer> layers = emitted.Check();
        emitted.Edit(m => m.Graph.Node.Single(n => n.OpType == "MatMulNBits").Attribute("accuracy_level")!.I = 0);
        Assert.Contains("accuracy_level = 0", Assert.Throws<MixedPrecisionException>(() => KernelCheck.Check(emitted.Mixed, layers, SessionSettings.Default)).Diagnostic.Message);
    }

    /// <summary>A format that leaves DequantizeLinear to the runtime, which at the basic level does not fuse it: the weight would be unpacked on every call.</summary>
    [Fact]
    public void AWeightDequantizedOnEveryCallIsAnError()
    {
        using var emitted = new EmittedModel("int8-dynamic", "fp32");
        RewrittenLayer layer = emitted.Check()[0];
        emitted.Edit(m =>
        {
            NodeProto dequantize = new() { OpType = "DequantizeLinear" };
            dequantize.Input.AddRange(layer.Constants);
            dequantize.Attribute.Add(Attributes.Of("axis", 1));
            dequantize.Output.Add("float weight");
            NodeProto product = new() { OpType = "MatMul" };
            product.Input.AddRange(["x", "float weight"]);
            product.Output.Add(layer.Site.Layer.Output);
            NodeProto[] kept = [dequantize, product, .. m.Graph.Node.Where(n => !layer.Nodes.Any(l => l.Output[0] == n.Output[0]))];
            m.Graph.Node.Clear();
            m.Graph.Node.AddRange(kept);
        });
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(
            () => KernelCheck.Check(emitted.Mixed, [layer], SessionSettings.Default with { Optimization = Microsoft.ML.OnnxRuntime.GraphOptimizationLevel.ORT_ENABLE_BASIC })).Diagnostic;
        Assert.Contains("DequantizeLinear of the weight, which runs on every call", diagnostic.Message);
    }

    /// <summary>What the user quantized before is no business of the plan, whatever the runtime makes of it.</summary>
    [Fact]
    public void TheOriginalsOwnDequantizedWeightsAreNoError()
    {
        ModelProto model = LayerModels.Model(
            [("x", [4, 32])],
            b =>
            {
                string weight = b.Node("DequantizeLinear", [b.Constant(new Tensor(ElementType.Int8, [32, 16], new byte[512])), b.Scalar(0.1)]);
                string own = b.Node("Sin", [weight]);
                b.NodeTo(["y"], "Add", "", [b.MatMul("x", "w"), b.MatMul("x", own)]);
            },
            ("w", LayerModels.Random(3, 32, 16)));
        using var emitted = new EmittedModel(model, "int8-dynamic");
        KernelCheck.Check(emitted.Mixed, emitted.Check(), SessionSettings.Default);
    }

    [Fact]
    public void NothingStaysBehind()
    {
        using var emitted = new EmittedModel("int8-dynamic", "int8-dynamic");
        int nodes = OptimizedModel.Read(emitted.Mixed, SessionSettings.Default, m => m.Graph.Node.Count);
        Assert.True(nodes > 0);
        string folder = OptimizedModel.Read(emitted.Mixed, SessionSettings.Default, m => m.Folder);
        Assert.False(Directory.Exists(folder));
    }

    private static void Unfused(LayerEmission e)
    {
        GraphBuilder b = e.Builder;
        string[] x = b.NodeWithOutputs("DynamicQuantizeLinear", 3, [e.Input]);
        string[] w = e.Site.HasWeightMatrix ? [e.Constants[0], e.Constants[1], b.Constant(Tensor.Scalar<sbyte>(0))] : b.NodeWithOutputs("DynamicQuantizeLinear", 3, [e.Second]);
        string sum = b.Node("Abs", [b.Cast(b.Node("MatMulInteger", [x[0], w[0], x[2], w[2]]), ElementType.Float)]);
        e.Product("Mul", "", [sum, b.Mul(x[1], w[1])]);
    }

    /// <summary>x·w, and what follows it; c is a bias.</summary>
    private static ModelProto Chain(long[] x, Func<GraphBuilder, string, string> follow) => LayerModels.Model(
        [("x", x)],
        b => b.NodeTo(["y"], "Neg", "", [follow(b, b.MatMul("x", "w"))]),
        ("w", LayerModels.Random(3, 32, 16)),
        ("c", LayerModels.Random(4, 16)));
}
