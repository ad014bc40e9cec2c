using static MixedPrecision.Reporting.Page.Drawing;
using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>The layers in order, in three lanes: the bits of the format, the share of the loss, the gain of the sub-graph. Where they are too many for one row they are drawn narrower, in rows under each other.</summary>
internal sealed class LayerStrip
{
    private const double Room = 944;
    private const double UnderLanes = 16;
    private const double UnderNumbers = 6;
    private const double BetweenLanes = 8;
    private const double BetweenRows = 14;
    private const double Edge = 2;
    private const double LeastBetweenNumbers = 36;

    /// <summary>Half of what a number takes.</summary>
    private const double HalfNumber = 14;

    /// <summary>Looks of one row and of several: least width of a layer, gap between sub-graphs, height of a lane.</summary>
    private static readonly (double Least, double Gap, double Lane) Wide = (7, 5, 64), Narrow = (4, 2, 44);

    private readonly PageData data;
    private readonly double width;
    private readonly double lane;
    private readonly double total;
    private readonly (PageLayer Layer, double X, int Row)[] places;
    private readonly int lanes;

    private LayerStrip(PageData data)
    {
        this.data = data;
        (double least, double gap, lane) = HasRows(data) ? Narrow : Wide;
        width = HasRows(data) ? least : Math.Clamp(Math.Floor((Room - (Groups(data) * gap)) / data.Layers.Count), least, 40);
        places = [.. PlacesOf(data, width, gap)];
        total = places.Max(p => p.X) + width + Edge;
        lanes = IsBare(data) ? 1 : 3;
    }

    /// <summary>Whether formats are all there is to draw: no layer takes of the loss or gains.</summary>
    public static bool IsBare(PageData data) => data.Layers.All(l => l.LossMse is null or 0 && l.Subgraph.Gain.Value == 0);

    /// <summary>Whether the layers are too many for one row.</summary>
    public static bool HasRows(PageData data) => (data.Layers.Count * Wide.Least) + (Groups(data) * Wide.Gap) > Room;

    public static Markup Draw(PageData data) => new LayerStrip(data).Draw();

    private Markup Draw()
    {
        double most = data.Layers.Max(l => l.LossMse ?? 0);
        double best = data.Layers.Max(l => Math.Abs(l.Subgraph.Gain.Value));
        string[] titles =
        [
            $"bits of the format, {FormatLook.MostBits} at most",
            data.LossBudget is { } allowed && most > 0 ? $"share of the allowed loss MSE, up to {Share(most / allowed)}" : "loss MSE",
            best > 0 ? $"gain of its sub-graph, up to {Gain(best, data.Unit)}{(data.Unit == Milliseconds ? " a run" : "")}" : "gain of its sub-graph",
        ];
        int rows = places[^1].Row + 1;
        double height = RowTop(rows - 1) + RowHeight(rows - 1);
        return All(
            Tag(
                "div",
                [("class", "strip"), ("role", "region"), ("aria-label", "The layers in order, drawn")],
                Tag(
                    "svg",
                    [("width", Plain(total)), ("height", Plain(height)), ("viewBox", $"0 0 {Plain(total)} {Plain(height)}"), ("role", "group"), ("aria-label", "Layers in order"), ("data-points", "layer-readout"), ("data-in-order", "")],
                    [
                        .. titles.Take(lanes).Select((title, l) => Text("title", 0, Top(0, l) - 9, "start", title)),
                        .. places.GroupBy(p => p.Row).SelectMany(row => Enumerable.Range(0, lanes).Select(l => Line("axis", 0, Top(row.Key, l) + lane, row.Last().X + width + Edge, Top(row.Key, l) + lane))),
                        .. Numbering(),
                        .. Gains(best),
                        .. Layers(most),
                    ])),
            Tag("p", [("class", "readout"), ("id", "layer-readout")], "Point at a layer, or move along them with the arrow keys."));
    }

    private static int Groups(PageData data) => data.Layers.Select(l => l.Subgraph).Distinct().Count();

    /// <summary>Each layer with the left edge of its bar and its row; a sub-graph stays in one row where it fits into one.</summary>
    private static IEnumerable<(PageLayer Layer, double X, int Row)> PlacesOf(PageData data, double width, double gap)
    {
        (double x, int row) = (Edge, 0);
        foreach (PageLayer[] group in data.Layers.GroupBy(l => l.Subgraph).Select(g => g.ToArray()))
        {
            x += x > Edge ? gap : 0;
            foreach ((int index, PageLayer layer) in group.Index())
            {
                double next = index == 0 ? Math.Min(group.Length * width, Room - (2 * Edge)) : width;
                if (x > Edge && x + next + Edge > Room)
                {
                    (x, row) = (Edge, row + 1);
                }

                yield return (layer, x, row);
                x += width;
            }
        }
    }

    /// <summary>Room over a lane: titles stand over those of the first row.</summary>
    private static double Label(int row) => row == 0 ? 24 : 2;

    private double RowHeight(int row) => (lanes * (lane + Label(row))) + ((lanes - 1) * BetweenLanes) + UnderLanes + UnderNumbers;

    private double RowTop(int row) => row == 0 ? 0 : RowHeight(0) + ((row - 1) * RowHeight(1)) + (row * BetweenRows);

    private double Top(int row, int index) => RowTop(row) + Label(row) + (index * (lane + Label(row) + BetweenLanes));

    /// <summary>The first layer's number, then those that a person counts by.</summary>
    private IEnumerable<Markup> Numbering()
    {
        int step = new[] { 5, 10, 20, 50, 100 }.First(s => s * width >= LeastBetweenNumbers);
        return places.Where(p => p.Layer.Number == 1 || p.Layer.Number % step == 0).Select(p =>
        {
            double y = Top(p.Row, lanes - 1) + lane + UnderLanes;
            string number = ReportText.Count(p.Layer.Number);
            return p.X < HalfNumber ? Text("tick", p.X, y, "start", number)
                : p.X + HalfNumber > total ? Text("tick", p.X + width, y, "end", number)
                : Text("tick", p.X + (width / 2), y, "middle", number);
        });
    }

    private IEnumerable<Markup> Gains(double best) => best <= 0 || lanes < 3 ? [] : places.GroupBy(p => (p.Layer.Subgraph, p.Row)).Select(g =>
    {
        double height = Math.Abs(g.Key.Subgraph.Gain.Value) / best * lane;
        return Rectangle(g.Key.Subgraph.Gain.Value < 0 ? "gain negative" : "gain", g.First().X + 0.5, Top(g.Key.Row, 2) + lane - height, g.Last().X + width - g.First().X - 1, height);
    });

    private IEnumerable<Markup> Layers(double most) => places.Select((place, index) =>
    {
        (PageLayer layer, double x, int row) = place;
        double bits = (double)layer.Look.Bits / FormatLook.MostBits * lane;
        double loss = most > 0 && layer.LossMse is { } mse ? Math.Max(mse / most * lane, 1) : 0;
        return Point(
            "layer",
            Words(layer),
            index == 0,
            [
                Rectangle("hit", x, RowTop(row), width, RowHeight(row)),
                Rectangle($"bits {layer.Look.Class}", x + 0.5, Top(row, 0) + lane - bits, width - 1, bits),
                .. loss > 0 ? [Rectangle("loss", x + 0.5, Top(row, 1) + lane - loss, width - 1, loss)] : Array.Empty<Markup>(),
            ]);
    });

    /// <summary>Apart from the direction of writing around it, where no element can say so.</summary>
    private static string Isolated(string name) => $"\u2068{name}\u2069";

    private static string Words(PageLayer layer) =>
        $"{layer.Number}. {Isolated(layer.Layer.Name)}: {layer.Layer.Format}{(layer.Share is { } share ? $", {Share(share)} of the allowed loss MSE" : "")}. {layer.Reason}";
}
