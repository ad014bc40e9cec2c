using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Formats;

/// <summary>x [batch, 64] as 8 steps of 8 values → LSTM in both directions, its first states computed from x → the mean over all steps beside the last states → ·w → logits [batch, 4].</summary>
internal static class RecurrentClassifier
{
    public const string Layer = "lstm";
    private const int Width = 64, Steps = 8, Classes = 4;

    public static ModelProto Model(int hidden = 24)
    {
        var graph = new GraphProto { Name = "recurrent" };
        graph.Input.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Width)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [new Dimension(null, "batch"), Dimension.Of(Classes)]).ToProto("logits"));
        var b = new GraphBuilder([.. GraphBuilder.NamesIn(graph), Layer]);
        string steps = b.Transpose(b.Reshape("x", b.Integers(-1, Steps, Width / Steps)), [1, 0, 2]);
        string half = b.Unsqueeze(b.Slice("x", 1, 0, hidden), 0), first = b.Concat(0, half, b.Neg(half));
        var node = new NodeProto { OpType = "LSTM", Name = Layer, Output = { "all", "last" } };
        node.Input.AddRange(
        [
            steps, b.Constant(LayerModels.Random(1, 2, 4 * hidden, Width / Steps), "w"), b.Constant(Small(2, 2, 4 * hidden, hidden), "r"), b.Constant(Small(3, 2, 8 * hidden), "b"), "", first, b.Neg(first),
        ]);
        node.Attribute.AddRange([Attributes.Of("hidden_size", hidden), Attributes.Of("direction", "bidirectional")]);
        b.Nodes.Add(node);
        string mean = b.Node("ReduceMean", ["all"], Attributes.Of("axes", [0L]), Attributes.Of("keepdims", 0));
        string Rows(string value) => b.Reshape(b.Transpose(value, [1, 0, 2]), b.Integers(-1, 2 * hidden));
        string joined = b.Concat(1, Rows(mean), Rows("last"));
        b.NodeTo(["logits"], "MatMul", "", [joined, b.Constant(LayerModels.Random(4, 4 * hidden, Classes), "v")]);
        b.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        return model;
    }

    private static Tensor Small(int seed, params long[] shape) => Tensor.Of<float>([.. LayerModels.Random(seed, shape).Values<float>().ToArray().Select(v => v / 4)], shape);
}
