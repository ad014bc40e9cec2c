using MixedPrecision.Diagnostics;
using MixedPrecision.Partitioning;
using MixedPrecision.Reporting;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>Why layers keep their precision: told alike by log, manifest and inspect, which put them into words by <see cref="LeftAlone"/>.</summary>
internal static class Reasons
{
    /// <summary>Of all layers that ship in the baseline and for which a reason is known, and of linear operations that are no layers.</summary>
    /// <param name="shipped">A configuration by sub-graph.</param>
    /// <param name="formats">How many formats the policy names, without the baseline.</param>
    public static IEnumerable<ExcludedNode> Of(Partition partition, IReadOnlyList<Configuration> shipped, Findings findings, int formats) => partition.Subgraphs
        .SelectMany(s => s.Layers.SelectMany((layer, index) => shipped[s.Index].Formats[index] == Problems.Baseline ? Of(s, layer, index, findings, formats) : []))
        .Concat(partition.Excluded.Select(e => new ExcludedNode(e.Name, e.Operator, e.Reason)));

    private static IEnumerable<ExcludedNode> Of(Subgraph subgraph, Layer layer, int index, Findings findings, int formats)
    {
        LayerOptions options = findings.Allowed[layer.Name];
        if (options.Pinned is not null)
        {
            return [new ExcludedNode(layer.Name, layer.Operator, $"the rule '{Wording.Escape(options.Pinned)}' pins it")];
        }

        if (options.Formats.All(f => f == Problems.Baseline))
        {
            return formats == 0 ? [new ExcludedNode(layer.Name, layer.Operator, "the policy names no other format than the original's")]
                : LeftAlone.Of(layer.Name, layer.Operator, options.NotApplicable, []);
        }

        Gain[] known = [.. findings.Gains.Of(subgraph).Where(g => g.Configuration.Formats[index] != Problems.Baseline).Select(g => g.Gain)];
        double withOthers = findings.Gains.Consequences.Where(c => c.Gain > 0 && c.Choices.Any(choice => choice.Layer == layer.Name)).Sum(c => c.Gain);
        string? reason = known.Length > 0 && known.All(g => g.Low + withOthers <= 0) ? "no format was found to gain"
            : findings.Meeting?.Met is not null ? "the gain is not worth the loss within the budget"
            : null;
        return reason is null ? [] : [new ExcludedNode(layer.Name, layer.Operator, reason)];
    }
}
