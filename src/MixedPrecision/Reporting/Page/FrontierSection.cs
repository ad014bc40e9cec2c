using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>What each budget would buy, and where this plan stands.</summary>
internal static class FrontierSection
{
    public static Section? Of(PageData data)
    {
        var chart = FrontierChart.Of(data);
        if (chart is null)
        {
            return null;
        }

        IReadOnlyList<FrontierPoint> points = data.Frontier;
        string text = points.Count == 0
            ? "What this plan and simpler ways to choose are predicted to gain, and at which error of the loss. The manifest holds no frontier of other budgets."
            : $"Every step is the plan that gains most at its error of the loss: {ReportText.Count(points.Count, "optimal plan")} from nothing to everything, from one calibration. "
                + "Point at the drawing, or use the arrow keys.";
        return new Section(
            "frontier",
            points.Count == 0 ? "Gain and loss" : "What each budget buys",
            Tag("p", text),
            chart.Draw(),
            points.Count == 0 ? default : Table.Details("The frontier in numbers", false, Numbers(data, chart.Chosen)));
    }

    private static Markup Numbers(PageData data, int chosen) => Numbers(data, chosen, data.Frontier.Any(p => p.Verified is not null));

    private static Markup Numbers(PageData data, int chosen, bool verified) => Table.Of(
        "Optimal plans by their predicted error of the loss",
        [new("Relative loss error", true), new("Gain", true), new("Size", true), new("Layers changed", true), new("Loss MSE", true), .. verified ? new Column[] { new("Measured on unseen samples", true) } : []],
        data.Frontier.Select(p => (IReadOnlyList<Cell>)
        [
            new Cell(ReportText.Percent(p.Tau), Key(p.Tau)),
            new Cell(Gain(p.Gain, data.Unit), Key(p.Gain)),
            new Cell(p.Bytes > 0 ? ReportText.Bytes(p.Bytes) : None, Key(p.Bytes)),
            new Cell(ReportText.Count(p.Changed), Key(p.Changed)),
            new Cell(ReportText.Number(p.LossMse), Key(p.LossMse)),
            .. verified ? new[] { new Cell(Percent(p.Verified), Key(p.Verified)) } : [],
        ]),
        chosen: chosen);
}
