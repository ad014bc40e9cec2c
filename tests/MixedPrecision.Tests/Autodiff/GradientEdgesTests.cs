using MixedPrecision.Autodiff;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>Values that are no tensors of numbers, and shapes and types at the edges.</summary>
public class GradientEdgesTests
{
    private static readonly Tensor X = Tensor.Of<float>([1, 2, 3, 4], 2, 2);

    public static TheoryData<string> WithoutRule => ["sequence", "split to sequence", "optional", "loop", "max roi pool", "variable determinant"];

    [Theory]
    [MemberData(nameof(WithoutRule))]
    public void AnOperatorWithoutARuleIsSaid(string name)
    {
        using OnnxModel model = Loss(b => name switch
        {
            "sequence" => b.Node("SequenceAt", [b.Node("SequenceConstruct", ["x", b.Exp("x")]), b.Squeeze(b.Size("x", 0), 0)]),
            "split to sequence" => b.Node("ConcatFromSequence", [b.Node("SplitToSequence", ["x"], Attributes.Of("axis", 0))], Attributes.Of("axis", 0)),
            "optional" => b.Node("OptionalGetElement", [b.Node("Optional", ["x"])]),
            "loop" => b.Node("ConcatFromSequence", [b.Node("Loop", [b.Squeeze(b.Size("x", 0), 0), "", b.Node("SequenceConstruct", ["x"])], Attributes.Of("body", Gathering()))], Attributes.Of("axis", 0)),
            "max roi pool" => b.Node("MaxRoiPool", [b.Unsqueeze("x", 0, 1), b.Constant(Tensor.Of<float>([0, 0, 0, 1, 1], 1, 5))], Attributes.Of("pooled_shape", [1, 1])),
            _ => b.Node("Det", [b.MatMul("x", "x")]),
        });
        var error = Assert.Throws<MixedPrecisionException>(() => GradientModel.Build(model));
        Assert.Equal(Codes.NoGradientRule, error.Diagnostic.Code);
    }

    public static TheoryData<string> Carried => ["sequence length", "strings", "string constant", "random", "bernoulli", "integers", "unique indices", "loop of integers"];

    /// <summary>What has no gradient by nature is carried along, and the rest of the model is differentiated.</summary>
    [Theory]
    [MemberData(nameof(Carried))]
    public void WhatHasNoGradientIsCarried(string name)
    {
        using OnnxModel model = Loss(b =>
        {
            string carried = name switch
            {
                "sequence length" => Number(b, b.Node("SequenceLength", [b.Node("SequenceConstruct", ["x", "x"])])),
                "strings" => Number(b, b.ElementCount(b.Node("StringConcat", [b.Cast("x", ElementType.String), b.Cast("x", ElementType.String)]))),
                "string constant" => Number(b, b.ElementCount("words")),
                "random" => b.Node("RandomUniformLike", ["x"], Attributes.Of("seed", 1f)),
                "bernoulli" => b.Node("Bernoulli", [b.Sigmoid("x")], Attributes.Of("seed", 1f)),
                "integers" => Number(b, b.Node("BitShift", [b.Cast("x", ElementType.UInt8), b.Constant(Tensor.Scalar<byte>(1))], Attributes.Of("direction", "LEFT"))),
                "unique indices" => Number(b, b.NodeTo(["distinct", "places"], "Unique", "", ["x"])[1]),
                _ => Number(b, b.Node("Loop", [b.Squeeze(b.Size("x", 0), 0), "", b.Cast("x", ElementType.Int64)], Attributes.Of("body", Body()))),
            };
            return b.Mul(b.Add("x", b.ReduceSum(b.Mul(carried, b.Scalar(0)))), b.Scalar(3));
        });
        if (name == "string constant")
        {
            var words = new TensorProto { Name = "words", DataType = ElementType.String };
            words.Dims.Add(2);
            words.StringData.AddRange([Google.Protobuf.ByteString.CopyFromUtf8("a"), Google.Protobuf.ByteString.CopyFromUtf8("b")]);
            model.Graph.Initializer.Add(words);
        }

        Assert.Equal([3, 3, 3, 3], Run(model)["x.grad"].Values<float>().ToArray());
    }

    [Fact]
    public void ScalarsAreDifferentiated()
    {
        using OnnxModel model = TestModels.Of(["x"], ["loss"], b => b.NodeTo(["loss"], "Mul", "", [b.Exp("x"), "x"]), rank: 0);
        using Session session = Session.Create(GradientModel.Build(model), SessionSettings.Default);
        Tensor gradient = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Scalar(0f) })["x.grad"];
        Assert.Empty(gradient.Shape);
        Assert.Equal(1, gradient.Values<float>()[0]);
    }

    /// <summary>Squeeze without axes leaves the rank open.</summary>
    [Fact]
    public void AValueOfUnknownRankIsTiled()
    {
        using OnnxModel model = Loss(b => b.Node("Tile", [b.Flatten(b.Node("Squeeze", [b.Unsqueeze("x", 0)]), -1), b.Integers(2, 3)]));
        Assert.Equal([6, 6, 6, 6], Run(model)["x.grad"].Values<float>().ToArray());
    }

    [Fact]
    public void EmptyInputsHaveEmptyGradients()
    {
        using OnnxModel model = Loss(b => b.Sigmoid(b.MatMul("x", b.Constant(Tensor.Of<float>([1, 2, 3, 4], 2, 2)))));
        using Session session = Session.Create(GradientModel.Build(model), SessionSettings.Default);
        Tensor gradient = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>([], 0, 2) })["x.grad"];
        Assert.Equal([0L, 2], gradient.Shape);
    }

    [Theory]
    [InlineData(ElementType.Double, ElementType.Double)]
    [InlineData(ElementType.Float16, ElementType.Float)]
    [InlineData(ElementType.BFloat16, ElementType.Float)]
    public void OtherPrecisionsAreDifferentiated(int given, int expected)
    {
        using OnnxModel model = TestModels.Of(["x"], ["loss"], b => b.NodeTo(["loss"], "ReduceSum", "", [b.Cast(b.Mul(b.Cast("x", ElementType.Float), b.Cast("x", ElementType.Float)), given)], Attributes.Of("keepdims", 0)), elementType: given);
        ModelProto gradient = GradientModel.Build(model);
        Assert.Equal(expected, gradient.Graph.Output.Single(o => o.Name == "x.grad").Type.TensorType.ElemType);
        using Session session = Session.Create(gradient, SessionSettings.Default);
        Tensor x = given switch
        {
            ElementType.Double => Tensor.Of<double>([1, 2, 3, 4], 2, 2),
            ElementType.Float16 => Tensor.Of<Half>([(Half)1, (Half)2, (Half)3, (Half)4], 2, 2),
            _ => new Tensor(given, [2, 2], new byte[] { 0x80, 0x3f, 0x00, 0x40, 0x40, 0x40, 0x80, 0x40 }),
        };
        Tensor result = session.Run(new Dictionary<string, Tensor> { ["x"] = x })["x.grad"];
        Assert.Equal([2, 4, 6, 8], expected == ElementType.Double ? result.Values<double>().ToArray().Select(v => (float)v) : result.Values<float>().ToArray());
    }

    /// <summary>ONNX Runtime has no kernel for Add of these versions; the gradient is that of the form they are brought to.</summary>
    [Theory]
    [InlineData("Add", 1, new float[] { 4, 4, 4 })]
    [InlineData("Add", 2, new float[] { 6, 6 })]
    [InlineData("PRelu", 1, new float[] { 4, 4, 4 })]
    public void OperandsAlignedAtAnAxisAreDifferentiated(string operatorType, long axis, float[] expected)
    {
        bool isSum = operatorType == "Add";
        var builder = new GraphBuilder(["x", "y", "loss"]);
        builder.NodeTo(["loss"], "ReduceSum", "", [builder.Node(operatorType, ["x", "y"], isSum ? [Attributes.Of("axis", axis), Attributes.Of("broadcast", 1)] : [])], Attributes.Of("keepdims", 0));
        var graph = new GraphProto { Name = "old" };
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(2), Dimension.Of(3), Dimension.Of(2)]).ToProto("x"));
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(expected.Length)]).ToProto("y"));
        graph.Output.Add(new TensorType(ElementType.Float, []).ToProto("loss"));
        builder.AppendTo(graph);
        var proto = new ModelProto { IrVersion = 3, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = 6 });
        using var model = new OnnxModel(proto, "", "old");
        using Session session = Session.Create(GradientModel.Build(model), SessionSettings.Default);
        IReadOnlyDictionary<string, Tensor> results = session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(Enumerable.Repeat(isSum ? 0f : -1, 12).ToArray(), 2, 3, 2), ["y"] = Tensor.Of<float>(expected, expected.Length) });
        Assert.Equal(expected.Select(e => isSum ? e : -e), results["y.grad"].Values<float>().ToArray());
        Assert.Equal(Enumerable.Repeat(isSum ? 1f : 4, 12), results["x.grad"].Values<float>().ToArray());
    }

    private static OnnxModel Loss(Func<GraphBuilder, string> body) =>
        TestModels.Of(["x"], ["loss"], b => b.NodeTo(["loss"], "ReduceSum", "", [body(b)], Attributes.Of("keepdims", 0)));

    private static IReadOnlyDictionary<string, Tensor> Run(OnnxModel model)
    {
        using Session session = Session.Create(GradientModel.Build(model), SessionSettings.Default);
        return session.Run(new Dictionary<string, Tensor> { ["x"] = X });
    }

    /// <summary>Each step appends to a sequence.</summary>
    private static GraphProto Gathering()
    {
        GraphProto graph = Body();
        graph.Input[2].Type = new TypeProto { SequenceType = new TypeProto.Types.Sequence { ElemType = new TensorType(ElementType.Float, null).ToProto("").Type } };
        graph.Node[1].OpType = "SequenceInsert";
        graph.Node[1].Input[1] = "x";
        return graph;
    }

    private static string Number(GraphBuilder b, string value) => b.Cast(value, ElementType.Float);

    /// <summary>Each step doubles the state.</summary>
    private static GraphProto Body()
    {
        var builder = new GraphBuilder(["i", "go", "s", "x"], "body/");
        var graph = new GraphProto { Name = "body" };
        graph.Input.AddRange([new TensorType(ElementType.Int64, []).ToProto("i"), new TensorType(ElementType.Bool, []).ToProto("go"), new ValueInfoProto { Name = "s" }]);
        string[] outputs = [builder.Node("Identity", ["go"]), builder.Add("s", "s")];
        builder.AppendTo(graph);
        graph.Output.AddRange(outputs.Select(o => new ValueInfoProto { Name = o }));
        return graph;
    }
}
