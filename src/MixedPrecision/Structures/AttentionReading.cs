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
        bool isGuarded,
        NodeProto[] products,
        StructureSite site)
    {
        var q = Find(query, queries, features, null);
        if (q is null || Find(key, keys, features, q.Value.Heads) is not { } k || Find(value, keys, valueFeatures, q.Value.Heads) is not { } v || v.Step.Scale != 1
            || Find(output, queries, valueFeatures, q.Value.Heads, isOutput: true) is not { } joined)
        {
            return null;
        }

        Factor[] heads = [.. q.Value.Heads];
        Factor[] sequences = [.. Layout.Counted(batch).SkipLast(heads.Length)];
        if (Layout.Product(heads)?.Constant is not long count || features.Size.Constant is not long size || valueFeatures.Size.Constant is not long valueSize
            || masks.Any(m => m.Layout.Rank == 4 ? !m.Layout.Is(sequences, heads, [queries], [keys]) : !m.Layout.Is([.. sequences, .. heads], [queries], [keys]))
            || new[] { q.Value.Step, k.Step, v.Step }.Any(s => walk.ElementTypeOf(s.Value) != ElementType.Float)
            || walk.Dropped(joined.Step.Value) is var dropped && products.Any(p => !dropped.Contains(p.Output[0])))
        {
            return null;
        }

        string[] absorbed = [.. site.Subgraph.Layers.Where(l => products.Any(p => p.Output[0] == l.Output)).Select(l => l.Name)];
        return new AttentionPattern(
            new(q.Value.Step.Value, q.Value.Form, queries.Size), new(k.Step.Value, k.Form, keys.Size), new(v.Step.Value, v.Form, keys.Size),
            joined.Step.Value, joined.Form == OperandForm.Flat, count, size, valueSize, Layout.Product(sequences)!, queries.Size, keys.Size,
            (float)(scale * q.Value.Step.Scale * k.Step.Scale), [.. masks.Select(m => m.Mask)], isGuarded, absorbed, dropped);
    }

    /// <summary>The step that lies best for a kernel: joined heads, else divided ones, else with the heads first. Of equal ones the last, or for the output the first.</summary>
    private (AttentionStep Step, OperandForm Form, IReadOnlyList<Factor> Heads)? Find(
        IReadOnlyList<AttentionStep> steps, Factor places, Factor size, IReadOnlyList<Factor>? heads, bool isOutput = false)
    {
        var found = (isOutput ? steps : steps.Reverse()).Select(s => (Step: s, Read: FormOf(s.Layout, places, size)))
            .Where(s => s.Read is not null && (heads is null || s.Read.Value.Heads.SequenceEqual(heads)) && (isOutput ? s.Read.Value.Form is OperandForm.Joined or OperandForm.Flat : s.Read.Value.Form != OperandForm.Flat))
            .OrderBy(s => s.Read!.Value.Heads.Count == 0).ThenBy(s => s.Read!.Value.Form).Take(1).ToArray();
        return found is [var best] ? (best.Step, best.Read!.Value.Form, best.Read.Value.Heads) : null;
    }

    private (OperandForm Form, IReadOnlyList<Factor> Heads)? FormOf(Layout layout, Factor places, Factor size)
    {
        IReadOnlyList<Factor> all = Layout.Counted(batch), length = Layout.Counted([places]), inner = Layout.Counted([size]);
        for (int count = 0; count <= all.Count; count++)
        {
            IReadOnlyList<Factor> sequences = [.. all.SkipLast(count)], heads = [.. all.TakeLast(count)];
            OperandForm? form = layout.Is(sequences, length, [.. heads, .. inner]) ? OperandForm.Joined
                : layout.Is(sequences, length, heads, inner) ? OperandForm.Divided
                : layout.Is([.. sequences, .. length], [.. heads, .. inner]) ? OperandForm.Flat
                : layout.Is(sequences, heads, length, inner) ? OperandForm.HeadsFirst : null;
            if (form is { } known)
            {
                return (known, heads);
            }
        }

        return null;
    }
}
