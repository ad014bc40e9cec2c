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
        string loss = !layer.Sensitivity.TryGetValue(layer.Format, out double mse) ? "at a loss that was not judged"
            : budget is { } allowed ? $"for {Quantity.Share(mse / allowed)} of the allowed loss"
            : $"for {ReportText.Number(mse)} of loss MSE";
        string gain = Quantity.Gain(subgraph.Gain.Value, subgraph.Gain.Unit);
        return $"Gains {gain}{(subgraph.Layers.Count > 1 ? " with its sub-graph" : "")} {loss}.";
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
            string family = FormatLook.Family(best.Formats[index]);
            return Quantity.Ends(best.Gain!).High < 0
                ? $"Slower in every format: {family}, the best, costs {Quantity.WithInterval(best.Gain! with { Value = -best.Gain!.Value, Interval = [.. best.Gain.Interval.Select(end => -end).Reverse()] })}."
                : $"No format was found to gain: {Quantity.WithInterval(best.Gain!)} at best, with {family}.";
        }

        KeyValuePair<string, double> least = layer.Sensitivity.MinBy(f => f.Value);
        if (budget is { } allowed && least.Value > allowed)
        {
            return $"Too sensitive: {FormatLook.Family(least.Key)} alone would take {Quantity.Share(least.Value / allowed)} of the allowed loss MSE.";
        }

        // Without what was tried, the manifest's own words, where they name the layer.
        string? told = changing.Count > 0 ? null : reasons.FirstOrDefault(r => r.Contains(Wording.Quote(layer.Name), StringComparison.Ordinal));
        return told is not null && told.IndexOf("): ", StringComparison.Ordinal) is > 0 and var at && at + 3 < told.Length ? $"{char.ToUpperInvariant(told[at + 3])}{told[(at + 4)..]}."
            : budget is { } limit ? $"The gain is not worth the loss: {FormatLook.Family(least.Key)} would take {Quantity.Share(least.Value / limit)} of the allowed loss MSE."
            : "The gain is not worth the loss within the budget.";
    }
}
