using MixedPrecision.Onnx;

namespace MixedPrecision.Structures;

/// <summary>A rotation of heads by position: x·cos + rotate_half(x)·sin with tables, or an operator for it.</summary>
/// <param name="Cosines">Table of cosines; the operator's own where there is one.</param>
/// <param name="Sines">The same of sines.</param>
/// <param name="RowAxis">Which axis of the tables rows stand in, counted from the end: 2 before heads are transposed to the front, and 1 after.</param>
/// <param name="Operator">The operator's node, or null where the rotation is written out.</param>
internal sealed record Rotation(string Cosines, string Sines, int RowAxis, NodeProto? Operator);

/// <summary>Finds rotations of heads by position.</summary>
internal static class RotationReader
{
    /// <summary>The rotation that computes a value, and what it turns; null where there is none.</summary>
    /// <param name="isHeadsFirst">Whether the value stands as [batch, heads, rows, size], and not as [batch, rows, heads, size].</param>
    public static (Rotation Rotation, string Turned)? Of(AttentionReader reader, string value, bool isHeadsFirst) =>
        reader.View.Producer(value) is not int index || reader.View.Nodes[index] is not { } node ? null
        : node.Operator() == "com.microsoft.RotaryEmbedding" ? isHeadsFirst ? (new Rotation(node.Input[2], node.Input[3], 0, node), node.Input[0]) : null
        : node.Operator() == "RotaryEmbedding" ? isHeadsFirst ? (new Rotation(node.Input[1], node.Input[2], 0, node), node.Input[0]) : null
        : node.Operator() == "Add" ? Written(reader, node, isHeadsFirst) : null;

    /// <summary>x·cos + rotate_half(x)·sin with rotate_half(x) = [−x₂, x₁], in any order of operands.</summary>
    private static (Rotation Rotation, string Turned)? Written(AttentionReader reader, NodeProto node, bool isHeadsFirst)
    {
        foreach ((string first, string second) in Orders(node))
        {
            if (reader.Maker(first, "Mul") is not { } still || reader.Maker(second, "Mul") is not { } moving)
            {
                return null;
            }

            foreach ((string half, string sines) in Orders(moving))
            {
                string? x = Half(reader, half);
                foreach ((string own, string cosines) in Orders(still).Where(o => reader.Behind(o.Item1) == x))
                {
                    return (new Rotation(reader.Behind(cosines), reader.Behind(sines), isHeadsFirst ? 1 : 2, null), own);
                }
            }
        }

        return null;
    }

    private static IEnumerable<(string, string)> Orders(NodeProto node) => [(node.Input[0], node.Input[1]), (node.Input[1], node.Input[0])];

    /// <summary>x, where a value is [−x₂, x₁] of its halves.</summary>
    private static string? Half(AttentionReader reader, string value)
    {
        if (reader.Maker(value, "Concat") is not { Input.Count: 2 } joined || reader.Shapes.Of(joined.Output[0]) is not { } shape || !IsLast(joined.Int("axis", 0), shape.Length)
            || shape[^1].Constant is not long size || reader.Maker(joined.Input[0], "Neg") is not { } negated)
        {
            return null;
        }

        return Part(reader, negated.Input[0], size) is (string second, 1) && Part(reader, joined.Input[1], size) is (string first, 0) && first == second ? first : null;
    }

    /// <summary>The value that a value is the first (0) or second (1) half of along the last axis, of this size.</summary>
    private static (string Whole, int Half)? Part(AttentionReader reader, string value, long size)
    {
        string half = reader.Behind(value);
        if (reader.View.Producer(half) is not int index || reader.View.Nodes[index] is not { Domain: "" or "ai.onnx" } node || reader.Shapes.Of(node.Input[0]) is not { } shape || shape[^1].Constant != size)
        {
            return null;
        }

        if (node.OpType == "Split" && node.Output.Count == 2 && IsLast(node.Int("axis", 0), shape.Length) && reader.Shapes.Of(half)?[^1].Constant == size / 2)
        {
            return (reader.Behind(node.Input[0]), node.Output.IndexOf(half));
        }

        return node.OpType == "Slice" && reader.Shapes.Of(half)?[^1].Constant == size / 2 && Start(reader, node, shape.Length) is long start && (start == 0 || start == size / 2 || start == -(size / 2))
            ? (reader.Behind(node.Input[0]), start == 0 ? 0 : 1) : null;
    }

    /// <summary>Where a slice along the last axis alone begins, or null.</summary>
    private static long? Start(AttentionReader reader, NodeProto slice, int rank)
    {
        long[]? Integers(string attribute, int input) => slice.Ints(attribute) ?? (slice.Input.Count > input ? reader.Shapes.Constants(slice.Input[input]) : null);
        bool isForward = slice.Input.Count < 5 || slice.Input[4].Length == 0 || reader.Shapes.Constants(slice.Input[4]) is [1];
        return isForward && Integers("axes", 3) is [var axis] && IsLast(axis, rank) && Integers("starts", 1) is [var start] ? start : null;
    }

    private static bool IsLast(long axis, int rank) => axis == -1 || axis == rank - 1;
}
