using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Formats;
using MixedPrecision.Tests.Verification;

namespace MixedPrecision.Tests.Quantization;

/// <summary>Weights that several nodes read exist once for each format, and count once.</summary>
public class SavingsTests
{
    private const int Rows = 512;
    private const int Width = 64;

    private static readonly Dictionary<string, Func<ModelProto>> Models = new()
    {
        ["alone"] = () => LayerModels.MatMul(2, 128, 256),
        ["twice"] = () => Square(b => b.NodeTo(["y"], "MatMul", "", [b.Node("Relu", [b.MatMul("x", "w")]), "w"])),
        ["gather reads it too"] = () => Square(b => b.NodeTo(["y"], "Add", "", [b.MatMul("x", "w"), b.Node("Gather", ["w", b.Integers(3)])])),
        ["tied embedding"] = Tied,
        ["a branch captures it"] = () => Square(b => b.NodeTo(
            ["y"],
            "If",
            "",
            [b.Node("Greater", [b.Node("ReduceMax", [b.MatMul("x", "w")], Attributes.Of("keepdims", 0)), b.Scalar(0)])],
            Attributes.Of("then_branch", Reading("then", "w")),
            Attributes.Of("else_branch", Reading("else", "w")))),
        ["it is an output"] = () =>
        {
            ModelProto model = Square(b => b.NodeTo(["y"], "MatMul", "", ["x", "w"]));
            model.Graph.Output.Add(new TensorType(ElementType.Float, [Dimension.Of(128), Dimension.Of(128)]).ToProto("w"));
            return model;
        },
        ["stored transposed"] = () => Square(b => b.NodeTo(["y"], "MatMul", "", ["x", b.Node("Transpose", ["w"])])),
        ["both ways"] = () => Square(b => b.NodeTo(["y"], "MatMul", "", [b.Node("Relu", [b.MatMul("x", "w")]), b.Node("Transpose", ["w"])])),
        ["a node holds it"] = () => Square(b =>
        {
            b.NodeTo(["held"], "Constant", "", [], Attributes.Of("value", LayerModels.Random(8, 128, 64).ToProto("")));
            b.NodeTo(["y"], "MatMul", "", [b.MatMul("x", "w"), "held"]);
        }),
    };

    public static TheoryData<string, string> Cases() =>
        [.. Models.Keys.SelectMany(m => FormatTexts.ForWeights.Select(f => (m, f.Name)))];

    /// <summary>What is counted is what the file loses, but for names, nodes and the small zero point.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void TheBytesCountedAreThoseOfTheFile(string model, string format)
    {
        using var emitted = new EmittedModel(Models[model](), format);
        long saved = new Savings(emitted.Model.Graph).Bytes(emitted.Plan);
        long lost = new FileInfo(emitted.Original).Length - new FileInfo(emitted.Mixed).Length;
        Assert.InRange(saved - lost, 0, 2048);
        emitted.Check();
    }

    /// <summary>As a sum over layers and what they share: the same bytes for every choice of formats.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void TheBytesHeldAreTheSameAsASum(string model)
    {
        using var emitted = new EmittedModel(Models[model](), FormatTexts.ForWeights[0].Name);
        NumberFormat[] formats = [NumberFormats.Baseline, .. FormatTexts.ForWeights];
        LayerSite[] sites = [.. emitted.Plan.Select(p => p.Site)];
        var savings = new Savings(emitted.Model.Graph);
        var held = savings.Held(new GraphView(emitted.Model.Graph), [.. sites.Select(s => (s, (IReadOnlyList<NumberFormat>)formats))]);
        long Bytes(NumberFormat[] plan) => held.Where(h => sites.Zip(plan).Any(c => h.Any.Contains((c.First.Layer.Name, c.Second.Name)))).Sum(h => h.Bytes);
        long original = Bytes([.. sites.Select(_ => NumberFormats.Baseline)]);
        var random = new Random(1);
        for (int i = 0; i < 20; i++)
        {
            NumberFormat[] plan = [.. sites.Select(_ => formats[random.Next(formats.Length)])];
            Assert.Equal(savings.Bytes(sites.Zip(plan)), original - Bytes(plan));
        }
    }

    public static TheoryData<string> Names() => [.. Models.Keys];

    [Theory]
    [InlineData("twice", 1)]
    [InlineData("gather reads it too", 1)]
    [InlineData("tied embedding", 2)]
    [InlineData("both ways", 2)]
    public void AWeightIsStoredOnceForEachFormatAndOrientation(string model, int copies)
    {
        using var emitted = new EmittedModel(Models[model](), "int8-weight");
        using OnnxModel mixed = OnnxModel.Load(emitted.Mixed);
        Assert.Equal(copies, mixed.Graph.Initializer.Count(t => t.DataType == ElementType.UInt8));
        Assert.Equal(emitted.Plan.Count, mixed.Graph.Node.Count(n => n.OpType == "MatMulNBits"));
    }

    /// <summary>Gemm with transB on the table, and MatMul on its transposition, have the same columns: one copy serves both.</summary>
    [Fact]
    public void TwoWaysToReadTheSameColumnsShareOneCopy()
    {
        ModelProto model = Square(b => b.NodeTo(
            ["y"], "Add", "", [b.MatMul("x", b.Node("Transpose", ["w"])), b.Node("Gemm", [b.Node("Relu", ["x"]), "w"], Attributes.Of("transB", 1))]));
        using var emitted = new EmittedModel(model, "int8-dynamic");
        Assert.Equal(2, emitted.Plan.Count);
        using OnnxModel mixed = OnnxModel.Load(emitted.Mixed);
        Assert.Single(mixed.Graph.Initializer, t => t.DataType == ElementType.Int8 && t.Dims.Count == 2);
        emitted.Check();
    }

    /// <summary>Case c02: the table stays for Gather, and the quantized copy comes on top.</summary>
    [Fact]
    public void NothingIsSavedWhereTheTableStays()
    {
        using var emitted = new EmittedModel(Tied(), "int8-weight");
        (LayerSite, NumberFormat)[] head = [emitted.Plan.Single(p => p.Site.OutputSize == Rows)];
        Assert.InRange(new Savings(emitted.Model.Graph).Bytes(head), -Rows * Width * 2, -Rows * Width);
    }

    [Fact]
    public void TwoFormatsOfOneWeightCountBoth()
    {
        using var emitted = new EmittedModel(Models["twice"](), "int8-weight", "int4-weight");
        long each(string format) => NumberFormats.Get(format).Bytes(emitted.Plan[0].Site);
        Assert.Equal((128 * 128 * 4) - each("int8-weight") - each("int4-weight"), new Savings(emitted.Model.Graph).Bytes(emitted.Plan));
        Assert.Equal(-each("int8-weight"), new Savings(emitted.Model.Graph).Bytes([emitted.Plan[0]]));
    }

    [Fact]
    public void TwoEmissionsAreTheSameBytes()
    {
        using EmittedModel one = new(Tied(), "int8-dynamic"), two = new(Tied(), "int8-dynamic");
        Assert.Equal(File.ReadAllBytes(one.Mixed), File.ReadAllBytes(two.Mixed));
    }

    private static ModelProto Square(Action<GraphBuilder> build) => LayerModels.Model([("x", [2, 128])], build, ("w", LayerModels.Random(7, 128, 128)));

    private static ModelProto Tied()
    {
        ModelProto model = LayerModels.Model(
            [("x", [1, 4])],
            b => b.NodeTo(["y"], "MatMul", "", [b.Node("Relu", [b.MatMul(b.Node("Gather", ["embed", "ids"]), "up")]), b.Node("Transpose", ["embed"], Attributes.Of("perm", [1L, 0L]))]),
            ("embed", LayerModels.Random(7, Rows, Width)),
            ("up", LayerModels.Random(8, Width, Width)));
        model.Graph.Input.Clear();
        model.Graph.Input.Add(new TensorType(ElementType.Int64, [Dimension.Of(1), Dimension.Of(4)]).ToProto("ids"));
        return model;
    }

    private static GraphProto Reading(string name, string value)
    {
        var graph = new GraphProto { Name = name };
        var node = new NodeProto { OpType = name == "then" ? "Neg" : "Identity" };
        node.Input.Add(value);
        node.Output.Add(name);
        graph.Node.Add(node);
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto(name));
        return graph;
    }
}
