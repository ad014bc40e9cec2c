using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Reporting.Page;

/// <summary>Why a layer has its format, from what the manifest holds.</summary>
internal static class LayerReason
{
    public static string Of(PlannedSubgraph subgraph, int index, IReadOnlyList<TriedConfiguration> tried, double? budget, IReadOnlyList<string> reasons)
    {
        PlannedLayer layer = subgraph.Layers[index];
        return layer.Pinned is { } rule ? $"The rule {Wording.Quote(rule)} sets it."
            : layer.Format != FormatFamilies.Baseline ? Changed(subgraph, layer, budget)
            : Kept(layer, index, [.. tried.Where(t => t.Gain is not null && index < t.Formats.Count && t.Formats[index] != FormatFamilies.Baseline)], budget, reasons);
    }

    private static string Changed(PlannedSubgraph subgraph, PlannedLayer layer, double? budget)
    {
        string loss = !layer.Sensitivity.TryGetValue(layer.Format, out double mse) ? "its loss was not judged"
            : budget is { } allowed ? $"takes {ReportText.Percent(mse / allowed)} of the allowed loss MSE"
            : $"adds {ReportText.Number(mse)} to the loss MSE";
        return $"Its sub-graph gains {Quantity.Gain(subgraph.Gain.Value, subgraph.Gain.Unit)}; the layer {loss}.";
    }

    /// <param name="changing">Configurations that were tried, run, and have the layer in another format.</param>
    private static string Kept(PlannedLayer layer, int index, IReadOnlyList<TriedConfiguration> changing, double? budget, IReadOnlyList<string> reasons)
    {
        if (layer.Sensitivity.Count == 0)
        {
            return layer.NotApplicable.Count == 0 ? "No other format is open to it." : $"No format applies: {string.Join("; ", layer.NotApplicable.Values.Distinct())}.";
        }

        if (changing.Count > 0 && changing.All(t => Quantity.Ends(t.Gain!).Low <= 0))
        {
            TriedConfiguration best = changing.MaxBy(t => t.Gain!.Value)!;
            return $"No format was found to gain: {Quantity.WithInterval(best.Gain!)} at best, with {FormatLook.Family(best.Formats[index])}.";
        }

        KeyValuePair<string, double> least = layer.Sensitivity.MinBy(f => f.Value);
        if (budget is { } allowed && least.Value > allowed)
        {
            return $"Too sensitive: {FormatLook.Family(least.Key)} alone would take {ReportText.Percent(least.Value / allowed)} of the allowed loss MSE.";
        }

        // Without what was tried, the manifest's own words, where they name the layer.
        string? told = changing.Count > 0 ? null : reasons.FirstOrDefault(r => r.Contains(Wording.Quote(layer.Name), StringComparison.Ordinal));
        return told is not null && told.IndexOf("): ", StringComparison.Ordinal) is > 0 and var at && at + 3 < told.Length ? $"{char.ToUpperInvariant(told[at + 3])}{told[(at + 4)..]}."
            : budget is { } limit ? $"The gain is not worth the loss: {FormatLook.Family(least.Key)} would take {ReportText.Percent(least.Value / limit)} of the allowed loss MSE."
            : "The gain is not worth the loss within the budget.";
    }
}
