using MixedPrecision.Onnx;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>The masks of an attention as the one addend that com.microsoft's operators take: [1 or batch, 1 or heads, queries, keys].</summary>
internal static class AttentionBias
{
    /// <summary>Whether the masks may be given so: what takes the place of scores has to be as low as makes no difference, and a guard must have nothing to guard.</summary>
    public static bool Fits(StructureSite site, AttentionPattern attention) =>
        attention.Masks.All(m => (m.Fill is null || ScoreMask.IsAbsorbing(m.Fill.Value)) && (attention.EmptyFrom is not float limit || StaysAbove(site, m, limit)));

    /// <summary>Adds the addend, once for a model. Shapes of queries and keys are read from operands of the attention.</summary>
    /// <param name="query">[batch, queries, features].</param>
    /// <param name="key">[batch, keys, features].</param>
    public static string Emit(StructureEmission e, AttentionPattern attention, string query, string key)
    {
        GraphBuilder b = e.Builder;
        var parts = new List<(string Value, IReadOnlyList<Size> Shape)>();
        foreach (ScoreMask mask in attention.Masks)
        {
            (string value, IReadOnlyList<Size> shape) = mask.Forms.First(f => e.Has(f.Value));
            parts.Add((mask.Fill is not float fill ? value
                : Once(e, $"attention-fill {value}", () => b.Where(value, b.Scalar(mask.FillsTrue ? fill : 0), b.Scalar(mask.FillsTrue ? 0 : fill))), shape));
        }

        string sum = parts.Select(p => p.Value).Aggregate((a, x) => Once(e, $"attention-sum {a} {x}", () => b.Add(a, x)));
        // Only a mask with a size of the batch is known to have all four dimensions.
        bool isWhole = parts is [var single] && single.Shape[0].Constant != 1 && single.Shape[2].Equals(attention.Queries) && single.Shape[3].Equals(attention.Keys);
        return isWhole ? sum : Once(e, $"attention-bias {sum} {attention.Queries} {attention.Keys}", () =>
            b.Expand(sum, b.Concat(0, b.Integers(1, 1), Places(b, query), attention.Keys.Equals(attention.Queries) ? Places(b, query) : Places(b, key))));
    }

    private static string Places(GraphBuilder b, string x) => b.Gather(b.Shape(x), b.Integers(1), 0);

    private static bool StaysAbove(StructureSite site, ScoreMask mask, float limit) => mask.Fill is float fill ? fill > limit
        : PaddingMask.Outcomes(new AttentionReader(site.Model, site.Partition.View, site.Types), mask.Forms[0].Value) is { Count: > 0 } outcomes
            && outcomes.All(o => o.ElementType == ElementType.Float && o.Values<float>().ToArray().All(v => v > limit));

    private static string Once(StructureEmission e, string key, Func<string> make)
    {
        if (!e.Shared.TryGetValue(key, out string[]? known))
        {
            e.Shared.Add(key, known = [make()]);
        }

        return known[0];
    }
}
