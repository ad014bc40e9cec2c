using MixedPrecision.Diagnostics;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Pipeline;

/// <summary>Why a layer, or a linear operation that is no layer, keeps its precision.</summary>
internal sealed record Reason(string Operator, string Name, string Text);

/// <summary>Why layers keep their precision, told alike by log, manifest and inspect.</summary>
internal static class Reasons
{
    /// <summary>Of all layers that have no choice, and of operations that are no layers.</summary>
    public static IEnumerable<Reason> Of(Partition partition, Findings findings) => partition.Layers
        .Select(l => (Layer: l, Options: findings.Allowed[l.Name]))
        .Select(l => (l.Layer, Text: TextOf(partition, findings, l.Layer, l.Options)))
        .Where(l => l.Text is not null)
        .Select(l => new Reason(l.Layer.Operator, l.Layer.Name, l.Text!))
        .Concat(partition.Excluded.Select(e => new Reason(e.Operator, e.Name, e.Reason)));

    /// <summary>Each reason once, with how many of each operator have it: "60 Conv: …".</summary>
    public static IEnumerable<string> ByKind(IEnumerable<Reason> reasons) => reasons
        .GroupBy(r => (r.Operator, r.Text))
        .Select(r => $"{r.Count()} {Wording.Escape(r.Key.Operator)}: {r.Key.Text}");

    private static string? TextOf(Partition partition, Findings findings, Layer layer, LayerOptions options)
    {
        if (options.Pinned is not null)
        {
            return $"the rule '{Wording.Escape(options.Pinned)}' pins it";
        }

        if (options.Formats.All(f => f == Problems.Baseline))
        {
            string[] reasons = [.. options.NotApplicable.Values.Distinct()];
            return reasons.Length == 1 ? reasons[0] : string.Join("; ", options.NotApplicable.Select(r => $"not {r.Key}: {r.Value}"));
        }

        Subgraph subgraph = partition.Subgraphs.First(s => s.Layers.Contains(layer));
        int index = subgraph.Layers.ToList().IndexOf(layer);
        (IReadOnlyList<string> Formats, Gain Gain)[] known = [.. findings.Gains.Of(subgraph).Where(g => g.Formats[index] != Problems.Baseline)];
        return known.Length > 0 && known.All(g => g.Gain.Low <= 0) ? "no format was measured to be faster" : null;
    }
}
