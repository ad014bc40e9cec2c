using MixedPrecision.Onnx;

namespace MixedPrecision.Structures.Shapes;

/// <summary>Shapes of what nodes compute, as formulas, from those of what they read.</summary>
internal static class ShapeRules
{
    /// <summary>Operators whose first output has the shape of the first input.</summary>
    private static readonly HashSet<string> Same =
    [
        "Identity", "Cast", "CastLike", "Neg", "Abs", "Sqrt", "Exp", "Log", "Reciprocal", "Sin", "Cos", "Tanh", "Sigmoid", "Relu", "LeakyRelu", "Erf", "Gelu", "HardSigmoid", "HardSwish", "Softplus",
        "Elu", "Swish", "Floor", "Ceil", "Round", "Not", "IsNaN", "IsInf", "Clip", "Dropout", "Softmax", "LogSoftmax", "LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization", "Trilu",
        "CumSum", "ScatterND", "ScatterElements", "BatchNormalization", "InstanceNormalization", "GroupNormalization", "RotaryEmbedding", "com.microsoft.RotaryEmbedding", "com.microsoft.Gelu", "com.microsoft.FastGelu",
        "com.microsoft.QuickGelu", "com.microsoft.BiasGelu", "com.microsoft.SkipSimplifiedLayerNormalization", "com.microsoft.SkipLayerNormalization",
    ];

    private static readonly HashSet<string> Broadcast =
        ["Add", "Sub", "Mul", "Div", "Pow", "Mod", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "And", "Or", "Xor", "Where", "Min", "Max", "Sum", "Mean", "PRelu"];

    /// <summary>The shape of each output, null where no rule has it.</summary>
    public static IReadOnlyList<Size?[]?> Of(SymbolicShapes s, NodeProto node)
    {
        string kind = node.Operator();
        Size[]? first = node.Input.Count > 0 && node.Input[0].Length > 0 ? s.Of(node.Input[0]) : null;
        if (Same.Contains(kind))
        {
            return [first];
        }

        if (Broadcast.Contains(kind))
        {
            return [Together(node.Input.Select(s.Of))];
        }

        return first is null && kind is not "Range" ? [] : kind switch
        {
            "MatMul" => [Product(first!, s.Of(node.Input[1]))],
            "Gemm" => [s.Of(node.Input[1]) is { Length: 2 } b ? [first![(int)node.Int("transA", 0)], b[1 - (int)node.Int("transB", 0)]] : null],
            "com.microsoft.FusedMatMul" when node.Int("transBatchA", 0) == 0 && node.Int("transBatchB", 0) == 0 =>
                [Product(Turned(first!, node.Int("transA", 0)), s.Of(node.Input[1]) is { } other ? Turned(other, node.Int("transB", 0)) : null)],
            "Flatten" => [Flattened(first!, node.Int("axis", 1))],
            "Attention" => [s.Of(node.Input[2]) is { } values ? Attended(node, first!, values) : null, Cached(s, node, 1), Cached(s, node, 2)],
            "Gather" => [Gathered(first!, s.Of(node.Input[1]), node.Int("axis", 0))],
            "Transpose" => [node.Ints("perm") is { } order ? [.. order.Select(axis => first![axis])] : [.. first!.Reverse()]],
            "Unsqueeze" => [Axes(s, node, 1) is { } axes ? Unsqueezed(first!, axes) : null],
            "Squeeze" => [Axes(s, node, 1) is { } axes ? [.. first!.Where((_, axis) => !axes.Contains(axis) && !axes.Contains(axis - first!.Length))] : null],
            "Concat" => [Joined([.. node.Input.Select(s.Of)], node.Int("axis", 0))],
            "Slice" => [Sliced(s, node, first!)],
            "Split" => Parts(s, node, first!),
            "Reshape" => [s.Elements(node.Input[1]) is { } target ? Reshaped(first!, target, node.Int("allowzero", 0) == 1) : null],
            "Expand" => [s.Elements(node.Input[1]) is { } target ? Together([target, first]) : null],
            "Tile" => [s.Elements(node.Input[1]) is { } repeats && repeats.Length == first!.Length ? [.. first.Zip(repeats, (d, r) => d * r)] : null],
            "ConstantOfShape" => [s.Elements(node.Input[0])],
            "Shape" => [[Size.Of(ElementRules.Of(s, node)?.Length ?? first!.Length)]],
            "Range" => [s.Constants(node.Input[2]) is [1] && s.Elements(node.Input[0]) is [var from] && s.Elements(node.Input[1]) is [var to] ? [to - from] : null],
            _ when kind.StartsWith("Reduce", StringComparison.Ordinal) => [Reduced(s, node, first!)],
            _ => [],
        };
    }

    /// <summary>Shapes broadcast together, or null. A size of 1 yields; of two others that differ, a constant or else the first is taken, as the model would not run otherwise.</summary>
    public static Size?[]? Together(IEnumerable<Size?[]?> shapes)
    {
        Size?[] together = [];
        foreach (Size?[]? shape in shapes)
        {
            if (shape is null)
            {
                return null;
            }

            int rank = Math.Max(together.Length, shape.Length);
            Size? At(Size?[] sizes, int axis) => axis < rank - sizes.Length ? Size.Of(1) : sizes[axis - rank + sizes.Length];
            together = [.. Enumerable.Range(0, rank).Select(axis => (At(together, axis), At(shape, axis)) switch
            {
                ({ Constant: 1 }, var b) => b,
                (var a, { Constant: 1 }) => a,
                (null or { Constant: null }, { Constant: not null } b) => b,
                (var a, _) => a,
            })];
        }

        return together;
    }

    private static Size?[]? Product(Size[] a, Size[]? b) =>
        b is null || a.Length < 2 || b.Length < 2 ? null
        : Together([a[..^2], b[..^2]]) is { } batch ? [.. batch, a[^2], b[^1]] : null;

    private static Size[] Turned(Size[] shape, long isTurned) => isTurned != 0 && shape.Length >= 2 ? [.. shape[..^2], shape[^1], shape[^2]] : shape;

    private static Size?[] Flattened(Size[] shape, long axis)
    {
        int at = (int)(axis < 0 ? axis + shape.Length : axis);
        return [.. new[] { shape[..at], shape[at..] }.Select(part => part.Aggregate((Size?)Size.Of(1), (a, b) => a * b))];
    }

    /// <summary>The result of ONNX's Attention: rows of the queries, features of the values.</summary>
    private static Size?[] Attended(NodeProto node, Size[] queries, Size[] values) => queries.Length == 4
        ? [.. queries[..3], values[^1]]
        : [.. queries[..2], (values[^1] * Size.Of(node.Int("q_num_heads", 1)))?.DividedBy(Size.Of(node.Int("kv_num_heads", 1)))];

    /// <summary>Keys (1) or values (2) of the past and of this call, which ONNX's Attention gives as [batch, heads, rows, size].</summary>
    private static Size?[]? Cached(SymbolicShapes s, NodeProto node, int operand)
    {
        Size[]? past = node.Input.Count > operand + 3 && node.Input[operand + 3].Length > 0 ? s.Of(node.Input[operand + 3]) : null;
        return s.Of(node.Input[operand]) switch
        {
            { Length: 4 } apart => [apart[0], apart[1], past is null ? apart[2] : past[2] + apart[2], apart[3]],
            { Length: 3 } flat when Size.Of(node.Int("kv_num_heads", 1)) is var heads => [flat[0], heads, past is null ? flat[1] : past[2] + flat[1], flat[2].DividedBy(heads)],
            _ => null,
        };
    }

    private static Size[]? Gathered(Size[] data, Size[]? indices, long axis)
    {
        int at = (int)(axis < 0 ? axis + data.Length : axis);
        return indices is null ? null : [.. data[..at], .. indices, .. data[(at + 1)..]];
    }

    private static long[]? Axes(SymbolicShapes s, NodeProto node, int input) =>
        node.Ints("axes") ?? (node.Input.Count > input && node.Input[input].Length > 0 ? s.Constants(node.Input[input]) : null);

    private static Size[] Unsqueezed(Size[] shape, long[] axes)
    {
        int rank = shape.Length + axes.Length;
        var rest = new Queue<Size>(shape);
        return [.. Enumerable.Range(0, rank).Select(axis => axes.Contains(axis) || axes.Contains(axis - rank) ? Size.Of(1) : rest.Dequeue())];
    }

    private static Size?[]? Joined(Size[]?[] parts, long axis)
    {
        if (parts.Any(p => p is null || p.Length != parts[0]!.Length))
        {
            return null;
        }

        int at = (int)(axis < 0 ? axis + parts[0]!.Length : axis);
        Size?[]? others = Together(parts.Select(p => p!.Select((d, i) => i == at ? Size.Of(1) : d).ToArray()));
        return [.. others!.Select((d, i) => i == at ? parts.Aggregate((Size?)Size.Of(0), (sum, p) => sum + p![at]) : d)];
    }

    private static Size?[]? Sliced(SymbolicShapes s, NodeProto node, Size[] shape)
    {
        Size?[]? Bounds(string attribute, int input) => node.Ints(attribute)?.Select(v => (Size?)Size.Of(v)).ToArray() ?? (node.Input.Count > input && node.Input[input].Length > 0 ? s.Elements(node.Input[input]) : null);
        Size?[]? starts = Bounds("starts", 1), ends = Bounds("ends", 2), steps = Bounds("steps", 4);
        bool hasAxes = node.Ints("axes") is not null || (node.Input.Count > 3 && node.Input[3].Length > 0);
        bool hasSteps = node.Input.Count > 4 && node.Input[4].Length > 0;
        long[]? axes = hasAxes ? Axes(s, node, 3) : [.. Enumerable.Range(0, starts?.Length ?? 0).Select(i => (long)i)];
        if (starts is null || ends is null || axes is null || (hasSteps && (steps is null || steps.Any(step => step?.Constant != 1))))
        {
            return null;
        }

        Size?[] sliced = [.. shape];
        for (int i = 0; i < axes.Length; i++)
        {
            int axis = (int)(axes[i] < 0 ? axes[i] + shape.Length : axes[i]);
            Size? Place(Size? at) => at?.IsNegative == true ? shape[axis] + at : at?.Constant >= (shape[axis].Constant ?? int.MaxValue) ? shape[axis] : at;
            sliced[axis] = Place(ends[i]) - Place(starts[i]);
        }

        return sliced;
    }

    private static Size?[]?[] Parts(SymbolicShapes s, NodeProto node, Size[] shape)
    {
        int axis = (int)(node.Int("axis", 0) is var a && a < 0 ? a + shape.Length : node.Int("axis", 0));
        Size?[]? sizes = node.Ints("split")?.Select(v => (Size?)Size.Of(v)).ToArray() ?? (node.Input.Count > 1 && node.Input[1].Length > 0 ? s.Elements(node.Input[1]) : null);
        sizes ??= shape[axis].DividedBy(Size.Of(node.Output.Count)) is { } part ? [.. Enumerable.Repeat(part, node.Output.Count)] : null;
        return [.. node.Output.Select((_, i) => sizes is null ? null : shape.Select((d, at) => at == axis ? sizes.ElementAtOrDefault(i) : d).ToArray())];
    }

    /// <summary>A reshape: 0 keeps a size, −1 is what is left over.</summary>
    private static Size?[] Reshaped(Size[] shape, Size?[] target, bool zeroIsZero)
    {
        Size?[] sizes = [.. target.Select((t, i) => t?.Constant == 0 && !zeroIsZero ? shape.ElementAtOrDefault(i) : t)];
        int open = Array.FindIndex(sizes, s => s?.Constant == -1);
        if (open >= 0)
        {
            // What stands on both sides goes first: a quotient by a sum is found in no other way.
            List<Size> left = [.. shape];
            Size?[] others = [.. sizes.Where((s, i) => i != open && (s is null || !left.Remove(s)))];
            sizes[open] = others.Aggregate(left.Aggregate((Size?)Size.Of(1), (a, b) => a * b), (rest, other) => rest?.DividedBy(other));
        }

        return sizes;
    }

    private static Size[]? Reduced(SymbolicShapes s, NodeProto node, Size[] shape)
    {
        long[]? axes = Axes(s, node, 1);
        bool keeps = node.Int("keepdims", 1) == 1;
        bool Is(int axis) => axes!.Contains(axis) || axes!.Contains(axis - shape.Length);
        return axes is null ? null : keeps ? [.. shape.Select((d, axis) => Is(axis) ? Size.Of(1) : d)] : [.. shape.Where((_, axis) => !Is(axis))];
    }
}
