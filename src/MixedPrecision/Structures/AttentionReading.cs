using MixedPrecision.Onnx;

namespace MixedPrecision.Structures;

/// <summary>A value on the way from a projection to a product, or from there to the joined heads.</summary>
/// <param name="Value">The value.</param>
/// <param name="Layout">How its elements lie.</param>
/// <param name="Scale">What it is multiplied by behind, on its way to the product.</param>
internal sealed record AttentionStep(string Value, Layout Layout, double Scale);

/// <summary>Reads an attention from traced layouts, once all divisions into heads are known.</summary>
internal sealed class AttentionReading(IEnumerable<Factor> batch, Factor queries, Factor keys, Factor features, Factor valueFeatures, GraphWalk walk)
{
    /// <summary>The attention, or null where its operands are not divided into the same heads, or something inside is read elsewhere.</summary>
    public AttentionPattern? Read(
        IReadOnlyList<AttentionStep> query,
        IReadOnlyList<AttentionStep> key,
        IReadOnlyList<AttentionStep> value,
        IReadOnlyList<AttentionStep> output,
        IReadOnlyList<(ScoreMask Mask, Layout Layout)> masks,
        double scale,
        float? emptyFrom,
        NodeProto[] products,
        StructureSite site)
    {
        if (Find(query, queries, features, null) is not { } q || Find(key, keys, features, q.Heads) is not { } k || Find(value, keys, valueFeatures, q.Heads) is not { } v || v.Step.Scale != 1
            || Find(output, queries, valueFeatures, q.Heads, isOutput: true) is not { } joined)
        {
            return null;
        }

        Factor[] heads = [.. q.Heads];
        Factor[] sequences = [.. Layout.Counted(batch).SkipLast(heads.Length)];
        if (Layout.Product(heads)?.Constant is not long count || features.Size.Constant is not long size || valueFeatures.Size.Constant is not long valueSize
            || masks.Any(m => m.Layout.Rank == 4 ? !m.Layout.Is(sequences, heads, [queries], [keys]) : !m.Layout.Is([.. sequences, .. heads], [queries], [keys]))
            || new[] { q.Step, k.Step, v.Step }.Any(s => walk.ElementTypeOf(s.Value) != ElementType.Float)
            || walk.Dropped(joined.Step.Value) is var dropped && products.Any(p => !dropped.Contains(p.Output[0])))
        {
            return null;
        }

        string[] absorbed = [.. site.Subgraph.Layers.Where(l => products.Any(p => p.Output[0] == l.Output)).Select(l => l.Name)];
        AttentionOperand Operand(Found found, IReadOnlyList<AttentionStep> steps, Factor places, Factor inner) => new(found.Step.Value, found.Form, places.Size, Packed(steps, places, inner, found));
        return new AttentionPattern(
            Operand(q, query, queries, features), Operand(k, key, keys, features), Operand(v, value, keys, valueFeatures),
            joined.Step.Value, joined.Form, count, size, valueSize, Layout.Product(sequences)!, queries.Size, keys.Size,
            (float)(scale * q.Step.Scale * k.Step.Scale), [.. masks.Select(m => m.Mask)], emptyFrom, absorbed, dropped);
    }

    /// <summary>The step that lies best for a kernel, in the order of <see cref="OperandForm"/>. Of equal ones the last, or for the output the first.</summary>
    private Found? Find(IReadOnlyList<AttentionStep> steps, Factor places, Factor size, IReadOnlyList<Factor>? heads, bool isOutput = false) =>
        (isOutput ? steps : steps.Reverse()).Select(s => FormOf(s, s.Layout, places, size)).OfType<Found>()
            .Where(f => (heads is null || f.Heads.SequenceEqual(heads))
                && (isOutput ? f.Form is not (OperandForm.Divided or OperandForm.HeadsFirst) : f.Form is not (OperandForm.Flat or OperandForm.PlacesFirstFlat)))
            .OrderBy(f => f.Heads.Count == 0).ThenBy(f => f.Form).FirstOrDefault();

    /// <summary>The last step in which queries, keys and values lie beside each other, one after the other in the last of three dimensions.</summary>
    private PackedOperand? Packed(IReadOnlyList<AttentionStep> steps, Factor places, Factor size, Found own)
    {
        foreach (AttentionStep step in steps.Reverse().Where(s => s.Scale == own.Step.Scale && s.Layout.Rank == 3))
        {
            IReadOnlyList<IReadOnlyList<Factor>> axes = step.Layout.Axes;
            if (axes[2].Count > 0 && axes[2][0] is { Picked: int part, Size.Constant: 3 } && FormOf(step, new([axes[0], axes[1], [.. axes[2].Skip(1)]]), places, size) is { Form: OperandForm.Joined or OperandForm.PlacesFirst } found
                && found.Heads.SequenceEqual(own.Heads))
            {
                return new PackedOperand(step.Value, part, found.Form == OperandForm.PlacesFirst);
            }
        }

        return null;
    }

    private Found? FormOf(AttentionStep step, Layout layout, Factor places, Factor size)
    {
        IReadOnlyList<Factor> all = Layout.Counted(batch), length = Layout.Counted([places]), inner = Layout.Counted([size]);
        for (int count = 0; count <= all.Count; count++)
        {
            IReadOnlyList<Factor> sequences = [.. all.SkipLast(count)], heads = [.. all.TakeLast(count)], features = [.. heads, .. inner];
            OperandForm? form = layout.Is(sequences, length, features) ? OperandForm.Joined
                : layout.Is(sequences, length, heads, inner) ? OperandForm.Divided
                : layout.Is(length, sequences, features) ? OperandForm.PlacesFirst
                : layout.Is(sequences, heads, length, inner) ? OperandForm.HeadsFirst
                : layout.Is([.. sequences, .. length], features) ? OperandForm.Flat
                : layout.Is([.. length, .. sequences], features) ? OperandForm.PlacesFirstFlat : null;
            if (form is { } known)
            {
                return new Found(step, known, heads);
            }
        }

        return null;
    }

    private sealed record Found(AttentionStep Step, OperandForm Form, IReadOnlyList<Factor> Heads);
}
