using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>Where the angles come from that queries and keys are rotated by.</summary>
internal enum RotaryForm
{
    /// <summary>Rows of a stored table by place in the sequence, counted on from the past.</summary>
    Stored,

    /// <summary>Computed at run time for each row, the same for all sequences.</summary>
    PerRow,

    /// <summary>Computed at run time for each row of each sequence.</summary>
    PerSequence,

    /// <summary>An operator's own.</summary>
    Operator,
}

/// <summary>Rotary tables of which it is proven that both halves are equal: half of one is what the kernels take.</summary>
/// <param name="Form">Where they come from.</param>
/// <param name="Cosines">[.., rows, .., size of a head] at run time; the stored table where there is one.</param>
/// <param name="Sines">The same of sines.</param>
internal sealed record RotaryTables(RotaryForm Form, string Cosines, string Sines)
{
    /// <summary>Values of the model that it is made from at run time.</summary>
    public IEnumerable<string> Values => Form is RotaryForm.PerRow or RotaryForm.PerSequence ? [Cosines, Sines] : [];

    /// <summary>The tables of queries and keys, or null where they differ, or are none the kernels take.</summary>
    public static RotaryTables? Of(AttentionReader reader, HeadPath query, HeadPath key, ScoreSizes sizes)
    {
        (Rotation one, Rotation other) = (query.Rotation!, key.Rotation!);
        if (one.Operator is not null || other.Operator is not null)
        {
            return one.Operator is not null && other.Operator is not null ? new RotaryTables(RotaryForm.Operator, "", "") : null;
        }

        RotaryForm?[] forms = [.. new[] { one, other }.SelectMany(r => new[] { FormOf(reader, r.Cosines, r.RowAxis, query.HeadSize, sizes), FormOf(reader, r.Sines, r.RowAxis, query.HeadSize, sizes) }).Distinct()];
        if (Base(reader, one.Cosines) != Base(reader, other.Cosines) || Base(reader, one.Sines) != Base(reader, other.Sines) || forms is not [{ } form])
        {
            return null;
        }

        if (Stored(reader, one.Cosines, sizes, query.HeadSize) is string cosines && Stored(reader, one.Sines, sizes, query.HeadSize) is string sines)
        {
            bool areEqual = new[] { cosines, sines }.All(t => Weights.Read(reader.Model, reader.View, t) is { } table && HalvesAreEqual(table));
            return areEqual ? new RotaryTables(RotaryForm.Stored, cosines, sines) : null;
        }

        bool hold = new[] { one.Cosines, one.Sines }.All(t => HasEqualHalves(reader, t, sizes));
        return hold ? new RotaryTables(form, one.Cosines, one.Sines) : null;
    }

    /// <summary>Whether the halves of a table are equal for all sizes: those of what is stored, in all rows, and of what is computed, for some sizes.</summary>
    public static bool HasEqualHalves(AttentionReader reader, string table, ScoreSizes sizes) => reader.View.Constants.Contains(table)
        ? Weights.Read(reader.Model, reader.View, table) is { } constant && HalvesAreEqual(constant)
        : reader.Proven(table, $"halves {sizes}", c => c.Constants.All(t => t.Rank < 2 || reader.Shapes.Of(table)![^1].Constant != t.Shape[^1] || HalvesAreEqual(t)) && HalvesAreEqual(c, sizes));

    /// <summary>What a table is a view of with other ones among its sizes.</summary>
    private static string Base(AttentionReader reader, string table)
    {
        while (reader.Maker(table) is { OpType: "Unsqueeze" or "Squeeze" } view)
        {
            table = view.Input[0];
        }

        return reader.Behind(table);
    }

    /// <summary>The form of a table that is computed at run time, from its shape; null where it is none.</summary>
    /// <param name="rowAxis">See <see cref="Rotation"/>.</param>
    public static RotaryForm? FormOf(AttentionReader reader, string table, int rowAxis, long headSize, ScoreSizes sizes)
    {
        if (reader.Shapes.Of(table) is not { Length: >= 2 and <= 4 } shape || !reader.Types.TryGetValue(table, out TensorType? type) || type.ElementType != ElementType.Float)
        {
            return null;
        }

        // Axes of [batch, heads, rows, size], or of [batch, rows, heads, size].
        Size[] whole = [.. Enumerable.Repeat(Size.Of(1), 4 - shape.Length), .. shape];
        (Size rows, Size heads) = rowAxis == 1 ? (whole[2], whole[1]) : (whole[1], whole[2]);
        return !rows.Equals(sizes.Rows) || heads.Constant != 1 || whole[3].Constant != headSize ? null
            : whole[0].Constant == 1 ? RotaryForm.PerRow
            : whole[0].Equals(sizes.Batch) ? RotaryForm.PerSequence
            : null;
    }

    /// <summary>The stored table [places, size] whose rows from the past's length on a table is, or null.</summary>
    private static string? Stored(AttentionReader reader, string table, ScoreSizes sizes, long headSize)
    {
        while (reader.Maker(table) is { OpType: "Unsqueeze" or "Squeeze" or "Reshape" } view)
        {
            table = view.Input[0];
        }

        string source = reader.Behind(table);
        if (reader.View.Constants.Contains(source))
        {
            return sizes.Past.Constant == 0 && IsTable(reader, source, headSize) ? source : null;
        }

        return reader.Maker(table) is { OpType: "Slice" } slice && reader.View.Constants.Contains(slice.Input[0]) && IsTable(reader, slice.Input[0], headSize)
            && slice.Input.Count > 3 && reader.Shapes.Elements(slice.Input[1]) is [{ } start] && start.Equals(sizes.Past) && reader.Shapes.Elements(slice.Input[2]) is [{ } end] && end.Equals(sizes.Total)
            && reader.Shapes.Constants(slice.Input[3]) is [var axis] && reader.Shapes.Of(slice.Input[0]) is { } shape && (axis + shape.Length) % shape.Length == shape.Length - 2
            ? slice.Input[0] : null;
    }

    /// <summary>Whether a constant is [.., places, size] with nothing but ones before.</summary>
    private static bool IsTable(AttentionReader reader, string constant, long headSize) =>
        reader.Shapes.Of(constant) is { Length: >= 2 } shape && shape[^1].Constant == headSize && shape[..^2].All(d => d.Constant == 1);

    private static bool HalvesAreEqual(Computation table, ScoreSizes sizes)
    {
        foreach ((long batch, long rows, long past) in new[] { (1L, 1L, 0L), (2L, 7L, 3L), (3L, 33L, 0L) })
        {
            if (CausalMask.Symbols(table, sizes, batch, rows, past) is not { } symbols || CausalMask.Draws.Any(draw => table.Run(symbols, draw) is not { } value || !HalvesAreEqual(value)))
            {
                return false;
            }
        }

        return true;
    }

    private static bool HalvesAreEqual(Tensor table)
    {
        if (table.ElementType != ElementType.Float || table.Rank < 2 || table.Shape[^1] % 2 != 0)
        {
            return false;
        }

        int half = (int)table.Shape[^1] / 2;
        ReadOnlySpan<float> values = table.Values<float>();
        for (int start = 0; start < values.Length; start += 2 * half)
        {
            if (!values.Slice(start, half).SequenceEqual(values.Slice(start + half, half)))
            {
                return false;
            }
        }

        return true;
    }
}
