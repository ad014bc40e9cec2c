using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>The model layer by layer: drawn in order, and as a table.</summary>
internal static class LayersSection
{
    /// <summary>Tables of more layers are shown on demand.</summary>
    private const int MostAtOnce = 20;

    public static Section? Of(PageData data) => data.Layers.Count == 0 ? null : new Section(
        "layers",
        "The model, layer by layer",
        Tag("p", $"Each bar is a layer, in the model's order{(LayerStrip.HasRows(data) ? ", row by row" : "")}; its height is the bits of its format." + (LayerStrip.IsBare(data) ? "" : " Below it, the share of the allowed loss MSE that it is predicted to take, and what its sub-graph gains.")),
        Legend(data),
        LayerStrip.Draw(data),
        Table.Details($"All {ReportText.Count(data.Layers.Count, "layer")} in a table", data.Layers.Count <= MostAtOnce, Numbers(data)),
        data.Manifest.Reasons.Count == 0 ? default : Table.Details("What keeps its precision, and why", false, Tag("ul", [.. data.Manifest.Reasons.Select(r => Tag("li", r))])));

    private static Markup Legend(PageData data) => Tag("ul", [("class", "legend")], [.. data.Layers
        .GroupBy(l => l.Layer.Format)
        .OrderByDescending(g => FormatLook.Of(g.Key).Bits).ThenBy(g => g.Key, StringComparer.Ordinal)
        .Select(g => Tag("li", FormatLook.Show(g.Key), Tag("span", [("class", "note")], $" {ReportText.Count(g.Count(), "layer")}")))]);

    private static Markup Numbers(PageData data)
    {
        bool knowsAlone = data.Layers.Any(l => l.Alone is not null);
        return Table.Of(
            "Layers in the model's order",
            [
                new("Layer"), new("No.", true), new("Format"), new("Why"), new("Share of the allowed loss", true),
                .. knowsAlone ? new Column[] { new("Gains alone", true) } : [],
                new("Gain of its sub-graph", true),
            ],
            data.Layers.Select(l => Row(l, knowsAlone)),
            isSortable: true);
    }

    private static IReadOnlyList<Cell> Row(PageLayer layer, bool knowsAlone) =>
    [
        new Cell(All(Name(layer.Layer.Name), Note($"{layer.Layer.Operator} {(layer.Layer.WeightShape.Count == 0 ? "" : ReportText.Shape(layer.Layer.WeightShape))}")), layer.Layer.Name),
        new Cell(ReportText.Count(layer.Number), Key(layer.Number)),
        new Cell(FormatLook.Show(layer.Layer.Format), null),
        All(layer.Reason, layer.Subgraph.Structure == Structures.Structure.Exported ? default : Tag("span", [("class", "note")], $" Written as {layer.Subgraph.Structure}.")),
        new Cell(All(ShareInColumn(layer.Share), layer.LossMse is { } mse ? Note($"MSE {ReportText.Number(mse)}") : default), Key(layer.LossMse)),
        .. knowsAlone ? new[] { new Cell(layer.Alone is { } alone ? Gain(alone.Value, alone.Unit) : None, Key(layer.Alone?.Value)) } : [],
        new Cell(All(Gain(layer.Subgraph.Gain.Value, layer.Subgraph.Gain.Unit), Note($"sub-graph {ReportText.Count(layer.Subgraph.Index)}")), Key(layer.Subgraph.Gain.Value)),
    ];

    private static Markup Note(string text) => Tag("span", [("class", "note below")], text);
}
