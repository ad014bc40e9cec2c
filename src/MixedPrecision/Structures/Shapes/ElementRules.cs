using MixedPrecision.Onnx;

namespace MixedPrecision.Structures.Shapes;

/// <summary>What small integer vectors hold, as formulas: the operators with which exporters compute targets of Reshape and Expand, and lengths.</summary>
internal static class ElementRules
{
    /// <summary>The elements of a node's first output, or null.</summary>
    public static Size?[]? Of(SymbolicShapes shapes, NodeProto node)
    {
        if (node.Domain is not ("" or "ai.onnx") || node.Input.Count == 0)
        {
            return null;
        }

        Size?[]? first = node.Input[0].Length > 0 ? shapes.Elements(node.Input[0]) : null;
        return node.OpType switch
        {
            "Shape" => Part(shapes.Of(node.Input[0]), node.Int("start", 0), node.Int("end", int.MaxValue)),
            "Size" => shapes.Of(node.Input[0]) is { } sizes ? [sizes.Aggregate((Size?)Size.Of(1), (a, b) => a * b)] : null,
            "ConstantOfShape" => Filled(shapes, node),
            _ when first is null => null,
            "Identity" or "Squeeze" or "Unsqueeze" or "Reshape" or "Flatten" => first,
            "Cast" => node.Int("to", 0) switch
            {
                ElementType.Int64 or ElementType.Int32 => first,
                ElementType.Bool => [.. first.Select(f => Truth(f?.Constant is long number ? number != 0 : null))],
                _ => null,
            },
            "Gather" => shapes.Constants(node.Input[1]) is { } indices && indices.All(i => i >= -first.Length && i < first.Length) ? [.. indices.Select(i => first[i < 0 ? i + first.Length : i])] : null,
            "Slice" => Sliced(shapes, node, first),
            "Concat" => node.Input.Select(shapes.Elements).ToArray() is { } parts && parts.All(p => p is not null) ? [.. parts.SelectMany(p => p!)] : null,
            "Add" => Zip(first, shapes.Elements(node.Input[1]), (a, b) => a + b),
            "Sub" => Zip(first, shapes.Elements(node.Input[1]), (a, b) => a - b),
            "Mul" => Zip(first, shapes.Elements(node.Input[1]), (a, b) => a * b),
            "Div" => Zip(first, shapes.Elements(node.Input[1]), (a, b) => a?.DividedBy(b)),
            "Neg" => [.. first.Select(f => Size.Of(0) - f)],
            "Equal" => Zip(first, shapes.Elements(node.Input[1]), IsEqual),
            "Not" => [.. first.Select(f => Truth(f?.Constant is long number ? number == 0 : null))],
            "And" => Zip(first, shapes.Elements(node.Input[1]), Both((a, b) => a != 0 && b != 0)),
            "Or" => Zip(first, shapes.Elements(node.Input[1]), Both((a, b) => a != 0 || b != 0)),
            "Less" => Zip(first, shapes.Elements(node.Input[1]), Both((a, b) => a < b)),
            "LessOrEqual" => Zip(first, shapes.Elements(node.Input[1]), Both((a, b) => a <= b)),
            "Greater" => Zip(first, shapes.Elements(node.Input[1]), Both((a, b) => a > b)),
            "GreaterOrEqual" => Zip(first, shapes.Elements(node.Input[1]), Both((a, b) => a >= b)),
            "Where" => Chosen(first, shapes.Elements(node.Input[1]), shapes.Elements(node.Input[2])),
            _ => null,
        };
    }

    private static Size?[]? Part(Size?[]? sizes, long start, long end)
    {
        if (sizes is null)
        {
            return null;
        }

        int Place(long at) => (int)Math.Clamp(at < 0 ? at + sizes.Length : at, 0, sizes.Length);
        return Place(start) < Place(end) ? sizes[Place(start)..Place(end)] : [];
    }

    private static Size?[]? Sliced(SymbolicShapes shapes, NodeProto node, Size?[] first)
    {
        if (node.Input.Count < 3)
        {
            return node.Ints("starts") is [var from] && node.Ints("ends") is [var to] ? Part(first, from, to) : null;
        }

        bool isForward = node.Input.Count < 5 || node.Input[4].Length == 0 || shapes.Constants(node.Input[4]) is [1];
        return isForward && shapes.Constants(node.Input[1]) is [var start] && shapes.Constants(node.Input[2]) is [var end] ? Part(first, start, end) : null;
    }

    private static Size?[]? Filled(SymbolicShapes shapes, NodeProto node)
    {
        // The default is a float 0, which is no size.
        if (shapes.Constants(node.Input[0]) is not { Length: <= 1 } shape || shape is [> SymbolicShapes.MostElements or < 0] || node.Attribute("value")?.T is not { DataType: ElementType.Int64 } value)
        {
            return null;
        }

        using var none = new ExternalData("");
        return [.. Enumerable.Repeat(Size.Of(TensorProtos.Read(value, none).Values<long>()[0]), shape is [var count] ? (int)count : 1)];
    }

    private static Size?[]? Zip(Size?[] first, Size?[]? second, Func<Size?, Size?, Size?> combine) =>
        second is null || (first.Length != second.Length && first.Length != 1 && second.Length != 1) ? null
        : [.. Enumerable.Range(0, Math.Max(first.Length, second.Length)).Select(i => combine(first[first.Length == 1 ? 0 : i], second[second.Length == 1 ? 0 : i]))];

    /// <summary>1 or 0 where the answer is the same for all sizes, else null.</summary>
    private static Size? IsEqual(Size? a, Size? b) =>
        a is null || b is null ? null
        : a.Equals(b) ? Size.Of(1)
        : (a - b)?.Constant is not null || (a.IsNotNegative && b.IsNegative) || (a.IsNegative && b.IsNotNegative) ? Size.Of(0)
        : null;

    /// <summary>What holds of two numbers that are known.</summary>
    private static Func<Size?, Size?, Size?> Both(Func<long, long, bool> holds) => (a, b) => Truth(a?.Constant is long first && b?.Constant is long second ? holds(first, second) : null);

    private static Size? Truth(bool? value) => value is bool known ? Size.Of(known ? 1 : 0) : null;

    private static Size?[]? Chosen(Size?[] conditions, Size?[]? first, Size?[]? second) =>
        first?.Length != conditions.Length || second?.Length != conditions.Length ? null
        : [.. conditions.Select((c, i) => c?.Constant is not long chosen ? null : chosen != 0 ? first[i] : second[i])];
}
