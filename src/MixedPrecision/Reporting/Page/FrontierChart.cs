using static MixedPrecision.Reporting.Page.Drawing;
using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>Gain over the error of the loss: the frontier as steps, the plan on it, what was measured, and simpler ways to choose.</summary>
internal sealed class FrontierChart
{
    private const double Width = 640;
    private const double Height = 374;
    private const double Left = 62;
    private const double Right = 622;
    private const double Top = 36;
    private const double Bottom = 308;
    private const double LeastBetweenTicks = 50;
    private const double LeastOnAPhone = 94;
    private const double LabelRoom = 60;

    /// <summary>Gains that differ by less are one.</summary>
    private const double SameGain = 1e-6;

    /// <summary>More points are drawn smaller.</summary>
    private const int MostLarge = 60;

    private readonly PageData data;
    private readonly IReadOnlyList<FrontierPoint> points;
    private readonly (double Tau, double Gain)? plan;
    private readonly (double Tau, double Gain, string Names, bool IsWithin)[] strategies;
    private readonly Axis across;
    private readonly Axis up;

    private FrontierChart(PageData data)
    {
        this.data = data;
        points = data.Frontier;
        Chosen = ChosenOf(data);
        plan = Chosen >= 0 ? (points[Chosen].Tau, points[Chosen].Gain)
            : data.Manifest.Solver is { } solver && data.Manifest.Shipped.What == "plan" ? (data.Manifest.Predicted.RelativeLossError, solver.Objective) : null;
        strategies =
        [
            .. data.Manifest.Strategies.Where(s => data.Relative(s.LossMse) is not null).GroupBy(s => (s.LossMse, s.Gain))
                .Select(g => (data.Relative(g.Key.LossMse)!.Value, g.Key.Gain, string.Join(", ", g.Select(s => StrategiesSection.NameOf(s.Name))), g.First().WithinBudget)),
        ];
        across = Axis.Spanning([.. points.Select(p => p.Tau), .. strategies.Select(s => s.Tau), .. Limits(), .. MeasuredTau(), .. plan is { } here ? new[] { here.Tau } : []], Left, Right);
        up = Axis.Linear([.. points.Select(p => p.Gain), .. strategies.Select(s => s.Gain), .. plan is { } there ? new[] { there.Gain } : []], Bottom, Top);
    }

    /// <summary>Place of the point that was chosen: the last one that the τ of the plan buys; -1 where no plan was made.</summary>
    public int Chosen { get; }

    /// <summary>Null where there is nothing to draw.</summary>
    public static FrontierChart? Of(PageData data)
    {
        var chart = new FrontierChart(data);
        return chart.points.Count + chart.strategies.Length + (chart.plan is null ? 0 : 1) < 2 ? null : chart;
    }

    public Markup Draw() => All(
        Tag(
            "div",
            [("class", "chart")],
            Tag(
                "svg",
                [("viewBox", $"0 0 {Plain(Width)} {Plain(Height)}"), ("role", "group"), ("aria-label", "Predicted gain over the relative error of the loss"), ("data-points", "frontier-readout")],
                [.. Scales(), .. Steps(), .. Budget(), .. Simpler(), .. Verified(), .. Marks(), .. Measured()])),
        Tag(
            "p",
            [("class", "key")],
            [
                .. plan is null ? [] : Key("chosen", "this plan"),
                .. points.Count > 0 ? Key("optimal", "another optimal plan") : [],
                .. MeasuredTau().Any() ? Key("as-measured", "as measured") : [],
                .. points.Any(p => p.Verified is not null) ? Key("tried", "emitted and measured") : [],
                .. strategies.Length > 0 ? Key("simpler", "a simpler way to choose") : [],
            ]),
        Tag("p", [("class", "readout"), ("id", "frontier-readout")], Words(Chosen)));

    private static Markup[] Key(string mark, string words) => [Tag("span", [("class", "entry")], Tag("span", [("class", $"dot {mark}"), ("aria-hidden", "true")]), words), " "];

    private static int ChosenOf(PageData data)
    {
        int last = -1;
        for (int i = 0; i < data.Frontier.Count && data.Manifest.Solver is not null; i++)
        {
            // Where a plan keeps the budget at the upper end of its interval, points within the budget gain more.
            bool isNoBetter = last < 0 || data.Frontier[i].Gain <= data.Manifest.Solver!.Objective * (1 + SameGain);
            last = data.Frontier[i].Tau <= data.Manifest.Budget.SolvedTau && isNoBetter ? i : last;
        }

        return last;
    }

    private IEnumerable<double> Limits() => data.Manifest.Budget is var budget && (budget.StatedTau ?? budget.SolvedTau) is > 0 and var tau ? [tau] : [];

    /// <summary>The error that was measured of the file, where it is the plan's.</summary>
    private IEnumerable<double> MeasuredTau() => data.IsMeasured && data.Manifest.Shipped.What == "plan" ? [data.Manifest.Measured.RelativeLossError] : [];

    private IEnumerable<Markup> Scales()
    {
        foreach (double gain in up.Ticks())
        {
            yield return Line("grid", Left, up.At(gain), Right, up.At(gain));
            yield return Text("tick", Left - 8, up.At(gain) + 4, "end", data.Unit == "bytes" ? Plain(gain / 1e6) : ReportText.Number(gain));
        }

        foreach ((double tau, double x, bool isMinor) in across.SpacedTicks(LeastBetweenTicks, LeastOnAPhone))
        {
            yield return Line("axis", x, Bottom, x, Bottom + 5);
            yield return Text(isMinor ? "tick minor" : "tick", x, Bottom + 26, "middle", $"{ReportText.Number(tau * 100)} %");
        }

        yield return Line("axis", Left, Bottom, Right, Bottom);
        yield return Text("title", Right, Bottom + 56, "end", "relative error of the loss" + (across.IsLogarithmic ? " (logarithmic)" : ""));
        yield return Text("title", Left - 58, Top - 14, "start", $"gain, {(data.Unit == "bytes" ? "MB" : Unit(data.Unit))}");
    }

    /// <summary>What a budget between two points buys is what the lower one gains.</summary>
    private IEnumerable<Markup> Steps()
    {
        if (points.Count < 2)
        {
            yield break;
        }

        string steps = $"M{Plain(across.At(points[0].Tau))} {Plain(up.At(points[0].Gain))}"
            + string.Concat(points.Skip(1).Select(p => $"H{Plain(across.At(p.Tau))}V{Plain(up.At(p.Gain))}")) + $"H{Plain(Right)}";
        yield return Shape("under", $"{steps}V{Plain(Bottom)}H{Plain(across.At(points[0].Tau))}Z");
        yield return Shape("staircase", steps);
    }

    private IEnumerable<Markup> Budget()
    {
        foreach (double tau in Limits())
        {
            double x = across.At(tau);
            yield return Line("budget", x, Top - 6, x, Bottom);
            // At the foot of the line, unless the plan's own words are there.
            double y = plan is { } here && up.At(here.Gain) > Bottom - LabelRoom ? Top + 4 : Bottom - 10;
            yield return Text("budget-label", x + (x > 480 ? -8 : 8), y, x > 480 ? "end" : "start", $"{(data.Manifest.Budget.StatedTau is null ? "solved for" : "budget")} {ReportText.Percent(tau)}");
        }
    }

    private IEnumerable<Markup> Simpler() => strategies.Select(s => Point(
        s.IsWithin ? "strategy" : "strategy over",
        $"{s.Names}: {Gain(s.Gain, data.Unit)}{PerRun} at {ReportText.Percent(s.Tau)}, {(s.IsWithin ? "within" : "over")} the budget.",
        false,
        Rectangle("mark", across.At(s.Tau) - 4, up.At(s.Gain) - 4, 8, 8)));

    /// <summary>Rings around what was emitted and measured on the way.</summary>
    private IEnumerable<Markup> Verified() => points.Where(p => p.Verified is not null).Select(p => Circle("verified", across.At(p.Tau), up.At(p.Gain), 8));

    private IEnumerable<Markup> Marks()
    {
        for (int i = 0; i < points.Count; i++)
        {
            yield return Point(i == Chosen ? "plan" : "optimal", Words(i), i == Math.Max(0, Chosen), Circle("mark", across.At(points[i].Tau), up.At(points[i].Gain), i == Chosen ? 6 : points.Count > MostLarge ? 2 : 3));
        }

        if (points.Count == 0 && plan is { } only)
        {
            yield return Point("plan", Words(-1), true, Circle("mark", across.At(only.Tau), up.At(only.Gain), 6));
        }
    }

    private IEnumerable<Markup> Measured()
    {
        if (plan is not { } chosen)
        {
            yield break;
        }

        double y = up.At(chosen.Gain);
        foreach (double tau in MeasuredTau())
        {
            yield return Line("drift", across.At(chosen.Tau), y, across.At(tau), y);
            yield return Point("measured", $"The plan, measured on samples that calibration did not read: {ReportText.Percent(tau)}.", false, Diamond("mark", across.At(tau), y, 6));
        }

        yield return Text("plan-label", across.At(chosen.Tau) + (across.At(chosen.Tau) < 180 ? 10 : -12), y - 12, across.At(chosen.Tau) < 180 ? "start" : "end", "this plan");
    }

    private string PerRun => data.Unit == Milliseconds ? " a run" : "";

    private string Words(int index)
    {
        if (index < 0)
        {
            return plan is { } p ? $"This plan: {Gain(p.Gain, data.Unit)}{PerRun} at {ReportText.Percent(p.Tau)}, as predicted." : "No plan ships.";
        }

        FrontierPoint point = points[index];
        string size = point.Bytes > 0 ? $", {ReportText.Bytes(point.Bytes)}" : "";
        string verified = point.Verified is { } tau ? $"; measured on unseen samples: {ReportText.Percent(tau)}" : "";
        return $"{(index == Chosen ? "This plan: " : "")}{Gain(point.Gain, data.Unit)}{PerRun} at {ReportText.Percent(point.Tau)}, {ReportText.Count(point.Changed, "layer")} changed{size}{verified}.";
    }
}
