using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Rivals;

/// <summary>
/// The operators that the tool quantizes when it is told none, in its format of QuantizeLinear and DequantizeLinear (the union of its registries <c>QLinearOpsRegistry</c> and <c>QDQRegistry</c>), and what each asks to be held in 8 bits. Operators that only move
/// elements ask for nothing unless what they read is held so, and share its range.
/// </summary>
internal static class QdqOperators
{
    private static readonly Dictionary<string, Action<QdqMarks, NodeProto>> Rules = new()
    {
        ["Conv"] = (marks, node) => Layer(marks, node, 0),
        ["ConvTranspose"] = (marks, node) => Layer(marks, node, 1),
        ["Gemm"] = (marks, node) => Layer(marks, node, node.Int("transB", 0) != 0 ? 0 : 1),
        ["MatMul"] = Product,
        ["Relu"] = Activation,
        ["Clip"] = Activation,
        ["Reshape"] = Move,
        ["Transpose"] = Move,
        ["Squeeze"] = Move,
        ["Unsqueeze"] = Move,
        ["Resize"] = Move,
        ["MaxPool"] = Move,
        ["AveragePool"] = Move,
        ["Slice"] = Move,
        ["Gather"] = Move,
        ["GatherElements"] = Move,
        ["Pad"] = Pad,
        ["Split"] = Split,
        ["Where"] = Where,
        ["InstanceNormalization"] = Normalization,
        ["LayerNormalization"] = Normalization,
        ["BatchNormalization"] = Normalization,
        ["Add"] = Each,
        ["Mul"] = Each,
        ["Sigmoid"] = Each,
        ["LeakyRelu"] = Each,
        ["GlobalAveragePool"] = Each,
        ["Concat"] = Each,
        ["Softmax"] = Each,
        ["ArgMax"] = Each,
    };

    /// <summary>All operators.</summary>
    public static IReadOnlyCollection<string> All => Rules.Keys;

    /// <summary>Marks what a node asks for.</summary>
    public static void Mark(QdqMarks marks, NodeProto node) => Rules[node.OpType](marks, node);

    private static void Each(QdqMarks marks, NodeProto node) => marks.Values(node.Input.Concat(node.Output));

    private static void Layer(QdqMarks marks, NodeProto node, int axis)
    {
        marks.Value(node.Input[0]);
        marks.Value(node.Output[0]);
        marks.Weight(node.Input[1], axis);
        marks.Bias(node);
    }

    private static void Product(QdqMarks marks, NodeProto node)
    {
        foreach (string input in node.Input)
        {
            marks.Weight(input, 1);
        }

        marks.Value(node.Output[0]);
    }

    private static void Activation(QdqMarks marks, NodeProto node)
    {
        if (!marks.IsMarked(node.Input[0]))
        {
            return;
        }

        if (!marks.Absorb(node))
        {
            marks.Value(node.Input[0]);
        }

        marks.Value(node.Output[0]);
    }

    private static void Move(QdqMarks marks, NodeProto node)
    {
        if (marks.IsMarked(node.Input[0]))
        {
            marks.Same(node.Output[0], node.Input[0]);
        }
    }

    private static void Pad(QdqMarks marks, NodeProto node)
    {
        bool isZero = node.Input.Count < 3 || node.Input[2].Length == 0;
        if (!isZero && node.Text("mode", "constant") == "constant")
        {
            marks.Values(marks.IsMarked(node.Input[0]) ? node.Output : []);
            return;
        }

        Move(marks, node);
    }

    private static void Split(QdqMarks marks, NodeProto node)
    {
        marks.Value(node.Input[0]);
        foreach (string output in node.Output)
        {
            marks.Same(output, node.Input[0]);
        }
    }

    private static void Where(QdqMarks marks, NodeProto node)
    {
        if (marks.IsMarked(node.Input[1]) && marks.IsMarked(node.Input[2]))
        {
            marks.Value(node.Output[0]);
        }
    }

    private static void Normalization(QdqMarks marks, NodeProto node)
    {
        marks.Value(node.Input[0]);
        marks.Weight(node.Input[1], 1);
        marks.Bias(node);
        marks.Values(node.Output);
    }
}
