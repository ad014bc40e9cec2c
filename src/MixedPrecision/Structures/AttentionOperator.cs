using MixedPrecision.Onnx;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>
/// ONNX's own Attention (23 and later) as a decoder has it. By the specification heads of keys are shared by consecutive heads of queries, rows of the past stand before the others and may all be
/// seen, and the masks come on top of is_causal; ONNX Runtime gives zeros to rows that see nothing.
/// </summary>
internal static class AttentionOperator
{
    /// <summary>The attention at a node, or null where it is another one.</summary>
    public static Attention? At(AttentionReader reader, int index)
    {
        NodeProto node = reader.View.Nodes[index];
        string? Input(int input) => input < node.Input.Count && node.Input[input].Length > 0 ? node.Input[input] : null;
        string? Output(int output) => output < node.Output.Count && node.Output[output].Length > 0 ? node.Output[output] : null;
        bool isFlat = reader.Shapes.Of(node.Input[0]) is { Length: 3 };
        long keyHeads = node.Int("kv_num_heads", 0);
        HeadPath? query = Path(reader, node.Input[0], isFlat ? node.Int("q_num_heads", 0) : null);
        HeadPath? key = Path(reader, node.Input[1], isFlat ? keyHeads : null), value = Path(reader, node.Input[2], isFlat ? keyHeads : null);
        var inner = new List<string>();
        string? result = isFlat ? node.Output[0] : Attention.Joined(reader, node.Output[0], inner);
        if (query is null || key is null || value is null || result is null || node.Float("softcap", 0) != 0 || Input(6) is not null || Output(3) is not null
            || query.Heads % (key.Heads * key.Repeats) != 0 || query.Heads % (value.Heads * value.Repeats) != 0)
        {
            return null;
        }

        bool isCausal = node.Int("is_causal", 0) != 0;
        bool hasCache = Input(4) is not null || Input(5) is not null || Output(1) is not null || Output(2) is not null;
        if (hasCache ? new[] { key, value }.Any(p => p.Past is not null || p.Repeats != 1) : isCausal && key.Past is not null)
        {
            return null;
        }

        Mask[] masks = Input(3) is string mask ? [new Mask(mask, reader.Types[mask].ElementType == ElementType.Bool ? MaskForm.Keeps : MaskForm.Added, float.MinValue)] : [];
        if (masks.Length > 0 && !IsWhole(reader, masks[0].Value, key, Input(4) ?? key.Past))
        {
            return null;
        }

        HeadPath Cached(HeadPath path, string? past, string? present) => !hasCache ? path : path with { Past = past, Present = present ?? path.Present, IsScaledBefore = path.Scale != 1 };
        HeadPath Shared(HeadPath path) => path with { Repeats = query.Heads / path.Heads };
        double scale = node.Attribute("scale") is { F: not 0 } given ? given.F : 1 / Math.Sqrt(query.HeadSize);
        return new Attention(
            index, index, query, Shared(Cached(key, Input(4), Output(1))), Shared(Cached(value, Input(5), Output(2))), scale * query.Scale * key.Scale, masks, result, float.MinValue, inner)
        {
            IsCausal = isCausal,
        };
    }

    /// <summary>The path to an operand, which stands as [batch, rows, heads·size] where a number of heads is given, else as [batch, heads, rows, size].</summary>
    private static HeadPath? Path(AttentionReader reader, string operand, long? heads)
    {
        if (heads is not long count)
        {
            return reader.Shape(operand, 4) is null ? null : HeadPath.To(reader, operand, [0, 1, 2, 3]);
        }

        // Heads may have been apart before, to be rotated.
        if (reader.Maker(operand, "Reshape") is { } joined && reader.Shape(joined.Input[0], 4) is not null && HeadPath.To(reader, joined.Input[0], [0, 2, 1, 3]) is { Repeats: 1, Past: null } apart
            && apart.Heads == count && reader.Shape(operand, 3) is [var batch, var rows, var width] && batch.Equals(apart.Batch) && rows.Equals(apart.RowCount) && width.Constant == count * apart.HeadSize)
        {
            return apart;
        }

        return count > 0 && reader.Shape(operand, 3) is [var b, var r, { Constant: > 0 and long all }] && all % count == 0
            ? new HeadPath(operand, [b, r, Size.Of(count), Size.Of(all / count)], 1, null, null, null, 1, false) { IsFlat = true } : null;
    }

    /// <summary>Whether a mask has a column for each row of keys: by version 24, it may have fewer.</summary>
    private static bool IsWhole(AttentionReader reader, string mask, HeadPath key, string? past) =>
        reader.Model.Opset < 24 || (reader.Shapes.Of(mask) is { Length: > 0 } shape
            && (past is null ? key.RowCount : reader.Shape(past, 4) is { } before ? before[2] + key.RowCount : null) is { } total && shape[^1].Equals(total));
}
