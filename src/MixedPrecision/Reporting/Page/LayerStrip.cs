using static MixedPrecision.Reporting.Page.Drawing;
using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>The layers in order, in three lanes: the bits of the format, the share of the loss, the gain of the sub-graph. Wide models scroll.</summary>
internal static class LayerStrip
{
    private const double Room = 944;
    private const double BetweenSubgraphs = 5;
    private const double Lane = 64;
    private const double Label = 24;
    private const double Edge = 2;

    private const double BitsTop = Label;
    private const double LossTop = BitsTop + Lane + Label + 8;
    private const double GainTop = LossTop + Lane + Label + 8;
    private const double UnderLanes = 16;
    private const double LeastBetweenNumbers = 36;

    /// <summary>Whether formats are all there is to draw: no layer takes of the loss or gains.</summary>
    public static bool IsBare(PageData data) => data.Layers.All(l => l.LossMse is null or 0 && l.Subgraph.Gain.Value == 0);

    public static Markup Draw(PageData data)
    {
        int groups = data.Layers.Select(l => l.Subgraph).Distinct().Count();
        double width = Math.Clamp(Math.Floor((Room - (groups * BetweenSubgraphs)) / data.Layers.Count), 7, 40);
        double total = (data.Layers.Count * width) + ((groups - 1) * BetweenSubgraphs) + (2 * Edge);
        double most = data.Layers.Max(l => l.LossMse ?? 0);
        double best = data.Layers.Max(l => Math.Abs(l.Subgraph.Gain.Value));
        (double Top, string Title)[] lanes =
        [
            (BitsTop, $"bits of the format, {FormatLook.MostBits} at most"),
            (LossTop, data.LossBudget is { } allowed && most > 0 ? $"share of the allowed loss MSE, up to {Share(most / allowed)}" : "loss MSE"),
            (GainTop, best > 0 ? $"gain of its sub-graph, up to {Gain(best, data.Unit)}{(data.Unit == Milliseconds ? " a run" : "")}" : "gain of its sub-graph"),
        ];
        lanes = IsBare(data) ? lanes[..1] : lanes;
        double numbers = lanes[^1].Top + Lane + UnderLanes, height = numbers + 6;
        return All(
            Tag(
                "div",
                [("class", "strip"), ("role", "region"), ("aria-label", "The layers in order, drawn")],
                Tag(
                    "svg",
                    [("width", Plain(total)), ("height", Plain(height)), ("viewBox", $"0 0 {Plain(total)} {Plain(height)}"), ("role", "group"), ("aria-label", "Layers in order"), ("data-points", "layer-readout")],
                    [
                        .. lanes.Select(lane => Text("title", 0, lane.Top - 9, "start", lane.Title)),
                        .. lanes.Select(lane => Line("axis", 0, lane.Top + Lane, total, lane.Top + Lane)),
                        .. Numbering(data, width, numbers),
                        .. Gains(data, width, best),
                        .. Layers(data, width, most, height),
                    ])),
            Tag("p", [("class", "readout"), ("id", "layer-readout")], "Point at a layer, or move along them with the arrow keys."));
    }

    /// <summary>Each layer with the left edge of its bar.</summary>
    private static IEnumerable<(PageLayer Layer, double X)> Places(PageData data, double width)
    {
        double x = Edge;
        PlannedSubgraph? before = null;
        foreach (PageLayer layer in data.Layers)
        {
            x += before is null || before == layer.Subgraph ? 0 : BetweenSubgraphs;
            before = layer.Subgraph;
            yield return (layer, x);
            x += width;
        }
    }

    /// <summary>The first layer's number, then those that a person counts by.</summary>
    private static IEnumerable<Markup> Numbering(PageData data, double width, double y)
    {
        int step = new[] { 5, 10, 20, 50, 100 }.First(s => s * width >= LeastBetweenNumbers);
        return Places(data, width).Where(p => p.Layer.Number == 1 || p.Layer.Number % step == 0)
            .Select(p => Text("tick", p.X + (width / 2), y, p.Layer.Number == 1 ? "start" : "middle", ReportText.Count(p.Layer.Number)));
    }

    private static IEnumerable<Markup> Gains(PageData data, double width, double best) => best <= 0 ? [] : Places(data, width).GroupBy(p => p.Layer.Subgraph).Select(g =>
    {
        double height = Math.Abs(g.Key.Gain.Value) / best * Lane;
        return Rectangle(g.Key.Gain.Value < 0 ? "gain negative" : "gain", g.First().X + 0.5, GainTop + Lane - height, g.Last().X + width - g.First().X - 1, height);
    });

    private static IEnumerable<Markup> Layers(PageData data, double width, double most, double height) => Places(data, width).Select((place, index) =>
    {
        (PageLayer layer, double x) = place;
        double bits = (double)layer.Look.Bits / FormatLook.MostBits * Lane;
        double loss = most > 0 && layer.LossMse is { } mse ? Math.Max(mse / most * Lane, 1) : 0;
        return Point(
            "layer",
            Words(layer),
            index == 0,
            [
                Rectangle("hit", x, 0, width, height),
                Rectangle($"bits {layer.Look.Class}", x + 0.5, BitsTop + Lane - bits, width - 1, bits),
                .. loss > 0 ? [Rectangle("loss", x + 0.5, LossTop + Lane - loss, width - 1, loss)] : Array.Empty<Markup>(),
            ]);
    });

    /// <summary>Apart from the direction of writing around it, where no element can say so.</summary>
    private static string Isolated(string name) => $"\u2068{name}\u2069";

    private static string Words(PageLayer layer) =>
        $"{layer.Number}. {Isolated(layer.Layer.Name)}: {layer.Layer.Format}{(layer.Share is { } share ? $", {Share(share)} of the allowed loss MSE" : "")}. {layer.Reason}";
}
