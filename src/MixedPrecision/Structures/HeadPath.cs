using MixedPrecision.Onnx;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>How queries, keys or values come to stand as [batch, heads, rows, size]: read backwards from where they are multiplied.</summary>
/// <param name="Rows">The value that holds them as [batch, rows, heads·size], or as [batch, rows, heads, size].</param>
/// <param name="Sizes">Batch, rows, heads and size of a head there.</param>
/// <param name="Repeats">How often each head is repeated for several heads of the queries; 1: not at all.</param>
/// <param name="Rotation">The rotation, or null.</param>
/// <param name="Past">Heads of rows before, which stand first, or null.</param>
/// <param name="Present">The value that holds all rows as [batch, heads, total, size], rotated, before heads are repeated; null where none does.</param>
/// <param name="Scale">What they are multiplied by on the way.</param>
/// <param name="IsScaledBefore">Whether some of the scale is in <paramref name="Present"/> already.</param>
internal sealed record HeadPath(string Rows, Size[] Sizes, long Repeats, Rotation? Rotation, string? Past, string? Present, double Scale, bool IsScaledBefore)
{
    private static readonly long[] HeadsFirst = [0, 1, 2, 3];
    private static readonly long[] RowsFirst = [0, 2, 1, 3];

    public Size Batch => Sizes[0];

    public Size RowCount => Sizes[1];

    public long Heads => Sizes[2].Constant!.Value;

    /// <summary>Whether <see cref="Rows"/> has three axes.</summary>
    public required bool IsFlat { get; init; }

    public long HeadSize => Sizes[3].Constant!.Value;

    /// <summary>The path to a value of heads, or null where it is another one.</summary>
    /// <param name="order">The order of axes there: 0 batch, 1 heads, 2 rows, 3 size; keys stand transposed when they are multiplied.</param>
    public static HeadPath? To(AttentionReader reader, string value, long[] order)
    {
        var path = new HeadPath("", [], 1, null, null, null, 1, false) { IsFlat = false };
        bool hasRepeats = false;
        while (true)
        {
            value = reader.Behind(value);
            bool isHeadsFirst = order.SequenceEqual(HeadsFirst);
            bool isNew = path is { Present: null, Rotation: null };
            if (reader.Maker(value) is { } scaling && Factor(reader, scaling) is var (factor, rest))
            {
                path = path with { Scale = path.Scale * factor, IsScaledBefore = path.Present is not null };
                value = rest;
            }
            else if (isHeadsFirst && isNew && !hasRepeats && reader.Maker(value) is { } repeating && Repeated(reader, repeating) is var (inner, count))
            {
                path = path with { Repeats = count };
                (value, hasRepeats) = (inner, true);
            }
            else if (isHeadsFirst && isNew && reader.Maker(value, "Concat") is { Input.Count: 2 } joined && joined.Int("axis", 0) is 2 or -2)
            {
                path = path with { Past = joined.Input[0], Present = value };
                value = joined.Input[1];
            }
            else if (path.Rotation is null && (isHeadsFirst || order.SequenceEqual(RowsFirst)) && RotationReader.Of(reader, value, isHeadsFirst) is var (rotation, turned))
            {
                path = path with { Rotation = rotation, Present = path.Present ?? (isHeadsFirst ? value : null) };
                value = turned;
            }
            else if (reader.Maker(value) is { } moving && reader.Permutation(moving) is { Length: 4 } permutation)
            {
                path = path with { Present = path.Present ?? (isHeadsFirst ? value : null) };
                order = Before(order, permutation);
                value = moving.Input[0];
            }
            else if (path.Present is null && AsMatrices(reader, value) is string heads)
            {
                order = Before(order, [0, 1, 3, 2]);
                value = heads;
            }
            else
            {
                return order.SequenceEqual(RowsFirst) && reader.Shape(value, 4) is [_, _, { Constant: > 0 }, { Constant: > 0 }] sizes
                    ? path with { Rows = Flat(reader, value, sizes), Sizes = sizes, IsFlat = Flat(reader, value, sizes) != value } : null;
            }
        }
    }

    /// <summary>The order of axes before a Transpose: axis i of its result is axis permutation[i] of what it reads.</summary>
    private static long[] Before(long[] order, long[] permutation)
    {
        var before = new long[order.Length];
        for (int axis = 0; axis < order.Length; axis++)
        {
            before[permutation[axis]] = order[axis];
        }

        return before;
    }

    /// <summary>What the last two axes are exchanged of as matrices of three axes: [b, k, t, s] → [b·k, t, s] → [b·k, s, t] → [b, k, s, t]; null where they are not.</summary>
    private static string? AsMatrices(AttentionReader reader, string value) =>
        reader.Maker(value, "Reshape") is { } joined && reader.Maker(joined.Input[0], "Transpose") is { } transposed && reader.Permutation(transposed) is [0, 2, 1]
        && reader.Maker(transposed.Input[0], "Reshape") is { } split && reader.Shape(split.Input[0], 4) is [var batch, var heads, var rows, var size]
        && reader.Shape(split.Output[0], 3) is { } matrices && matrices.SequenceEqual([(batch * heads)!, rows, size])
        && reader.Shape(joined.Output[0], 4) is { } turned && turned.SequenceEqual([batch, heads, size, rows])
            ? split.Input[0] : null;

    /// <summary>The value [batch, rows, heads·size] that a value [batch, rows, heads, size] is a view of, or that one itself.</summary>
    private static string Flat(AttentionReader reader, string value, Size[] sizes) =>
        reader.Maker(value, "Reshape") is { } reshape && reader.Shape(reshape.Input[0], 3) is { } flat && flat[0].Equals(sizes[0]) && flat[1].Equals(sizes[1]) && flat[2].Equals(sizes[2] * sizes[3])
            ? reader.Behind(reshape.Input[0]) : value;

    /// <summary>A multiplication by a number, and what is multiplied.</summary>
    public static (double Factor, string Other)? Factor(AttentionReader reader, NodeProto node) => node.OpType switch
    {
        "Mul" when reader.Number(node.Input[1]) is double factor => (factor, node.Input[0]),
        "Mul" when reader.Number(node.Input[0]) is double factor => (factor, node.Input[1]),
        "Div" when reader.Number(node.Input[1]) is double divisor and not 0 => (1 / divisor, node.Input[0]),
        _ => null,
    };

    /// <summary>Heads repeated one by one for those of the queries: [b, k, t, s] → [b, k, 1, t, s] → [b, k, g, t, s] → [b, k·g, t, s], or an index that does the same.</summary>
    private static (string Inner, long Count)? Repeated(AttentionReader reader, NodeProto node)
    {
        if (node.OpType == "Gather" && node.Int("axis", 0) is 1 or -3 && reader.View.Constants.Contains(node.Input[1])
            && Partitioning.Weights.Read(reader.Model, reader.View, node.Input[1]) is { Rank: 1, ElementType: ElementType.Int64 } indices && reader.Shape(node.Input[0], 4) is [_, { Constant: > 0 and long all }, ..])
        {
            long each = indices.Count / all;
            return each > 0 && indices.Values<long>().ToArray().SequenceEqual(Enumerable.Range(0, (int)(all * each)).Select(i => i / each)) ? (node.Input[0], each) : null;
        }

        if (node.OpType != "Reshape" || reader.Maker(node.Input[0]) is not { OpType: "Expand" or "Tile" or "Concat" } repeat
            || reader.Shape(node.Output[0], 4) is not { } merged || reader.Shape(repeat.Output[0], 5) is not { } repeated || reader.Shape(repeat.Input[0], 5) is not { } single
            || reader.Maker(repeat.Input[0]) is not { OpType: "Unsqueeze" or "Reshape" } split || reader.Shape(split.Input[0], 4) is not { } heads
            || (repeat.OpType == "Concat" && (repeat.Int("axis", 0) is not (2 or -3) || repeat.Input.Any(i => i != repeat.Input[0]))))
        {
            return null;
        }

        return heads is [var batch, { Constant: long count }, var rows, var size] && repeated[2].Constant is long times && single[2].Constant == 1
            && Equal(single, batch, heads[1], single[2], rows, size) && Equal(repeated, batch, heads[1], repeated[2], rows, size) && Equal(merged, batch, Size.Of(count * times), rows, size)
            ? (split.Input[0], times) : null;
    }

    private static bool Equal(Size[] sizes, params Size[] wanted) => sizes.SequenceEqual(wanted);
}
