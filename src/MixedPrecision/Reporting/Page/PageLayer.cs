using MixedPrecision.Policies;

namespace MixedPrecision.Reporting.Page;

/// <summary>A layer with all that the page says of it.</summary>
/// <param name="Number">Its place, from 1.</param>
/// <param name="Subgraph">Its sub-graph.</param>
/// <param name="Layer">What the manifest says of it.</param>
/// <param name="LossMse">What it is predicted to add to the loss MSE in its format; null where that is not known, or where it stays as it was.</param>
/// <param name="Share">That as a share of what the budget allows.</param>
/// <param name="Alone">What its sub-graph gains by this layer alone; null where that was not measured.</param>
/// <param name="Reason">Why it has its format.</param>
internal sealed record PageLayer(int Number, PlannedSubgraph Subgraph, PlannedLayer Layer, double? LossMse, double? Share, ReportedGain? Alone, string Reason)
{
    public bool IsChanged => Layer.Format != FormatFamilies.Baseline;

    public FormatLook Look => FormatLook.Of(Layer.Format);

    /// <param name="number">Its place, from 1.</param>
    /// <param name="subgraph">Its sub-graph.</param>
    /// <param name="index">Its place in there, from 0.</param>
    /// <param name="tried">What was tried of the sub-graph.</param>
    /// <param name="budget">Greatest loss MSE, if known.</param>
    /// <param name="reasons">What the manifest says of layers that stay as they are.</param>
    public static PageLayer Of(int number, PlannedSubgraph subgraph, int index, IReadOnlyList<TriedConfiguration> tried, double? budget, IReadOnlyList<string> reasons)
    {
        PlannedLayer layer = subgraph.Layers[index];
        double? loss = layer.Format != FormatFamilies.Baseline && layer.Sensitivity.TryGetValue(layer.Format, out double mse) ? mse : null;
        TriedConfiguration? alone = layer.Format == FormatFamilies.Baseline ? null : tried.FirstOrDefault(t =>
            t.Gain is not null && t.Structure == Structures.Structure.Exported && t.Formats.Count == subgraph.Layers.Count
            && t.Formats.Select((f, i) => f == (i == index ? layer.Format : FormatFamilies.Baseline)).All(same => same));
        return new PageLayer(number, subgraph, layer, loss, loss / budget, alone?.Gain, LayerReason.Of(subgraph, index, tried, budget, reasons));
    }
}
