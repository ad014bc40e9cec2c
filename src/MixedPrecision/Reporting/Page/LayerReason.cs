using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting.Page;

/// <summary>Why a layer has its format, as a sentence with the numbers that decided.</summary>
internal static class LayerReason
{
    public static string Of(PlannedSubgraph subgraph, int index, IReadOnlyList<TriedConfiguration> tried, double? budget, IReadOnlyList<string> reasons)
    {
        PlannedLayer layer = subgraph.Layers[index];
        IReadOnlyList<TriedConfiguration> changing = LayerVerdicts.Changing(index, tried);
        return LayerVerdicts.Of(layer, changing, budget) switch
        {
            LayerVerdict.Pinned => $"The rule {Wording.Quote(layer.Pinned!)} sets it.",
            LayerVerdict.Changed => Changed(subgraph, layer, budget),
            LayerVerdict.NotJudged => "No other format is open to it.",
            LayerVerdict.NotApplicable => $"No format applies: {string.Join("; ", layer.NotApplicable.Values.Distinct())}.",
            LayerVerdict.NothingGains => NothingGains(changing.MaxBy(t => t.Gain!.Value)!, index),
            LayerVerdict.TooSensitive => $"Too sensitive: {Least(layer)} alone would take {Quantity.Share(layer.Sensitivity.Values.Min() / budget!.Value)} of the allowed loss MSE.",
            _ => NotWorth(layer, changing.Count > 0 ? null : reasons.FirstOrDefault(r => r.Contains(Wording.Quote(layer.Name), StringComparison.Ordinal)), budget),
        };
    }

    private static string Changed(PlannedSubgraph subgraph, PlannedLayer layer, double? budget)
    {
        string loss = !layer.Sensitivity.TryGetValue(layer.Format, out double mse) ? "at a loss that was not judged"
            : budget is { } allowed ? $"for {Quantity.Share(mse / allowed)} of the allowed loss"
            : $"for {ReportText.Number(mse)} of loss MSE";
        string gain = Quantity.Gain(subgraph.Gain.Value, subgraph.Gain.Unit);
        return $"Gains {gain}{(subgraph.Layers.Count > 1 ? " with its sub-graph" : "")} {loss}.";
    }

    private static string NothingGains(TriedConfiguration best, int index)
    {
        string family = FormatNames.Family(best.Formats[index]);
        return best.Gain!.Ends.High < 0
            ? $"Slower in every format: {family}, the best, costs {Quantity.WithInterval(best.Gain with { Value = -best.Gain.Value, Interval = [.. best.Gain.Interval.Select(end => -end).Reverse()] })}."
            : $"No format was found to gain: {Quantity.WithInterval(best.Gain)} at best, with {family}.";
    }

    /// <param name="told">Without what was tried, the manifest's own words, where they name the layer.</param>
    private static string NotWorth(PlannedLayer layer, string? told, double? budget) =>
        told is not null && told.IndexOf("): ", StringComparison.Ordinal) is > 0 and var at && at + 3 < told.Length ? $"{char.ToUpperInvariant(told[at + 3])}{told[(at + 4)..]}."
        : budget is { } limit ? $"The gain is not worth the loss: {Least(layer)} would take {Quantity.Share(layer.Sensitivity.Values.Min() / limit)} of the allowed loss MSE."
        : "The gain is not worth the loss within the budget.";

    /// <summary>The format of least loss.</summary>
    private static string Least(PlannedLayer layer) => FormatNames.Family(layer.Sensitivity.MinBy(f => f.Value).Key);
}
