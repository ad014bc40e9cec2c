using static MixedPrecision.Reporting.Page.Drawing;
using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>A value of a row, with its interval: equal ends where it has none.</summary>
internal sealed record RangeMark(string Class, double Low, double Value, double High);

/// <summary>A row of the chart: what it is of, and its marks; in words all of it.</summary>
internal sealed record RangeRow(string Label, string Words, IReadOnlyList<RangeMark> Marks);

/// <summary>Rows of values with their intervals on one scale.</summary>
internal static class RangeChart
{
    private const double Width = 640;
    private const double Left = 8;
    private const double Right = 628;
    private const double Row = 46;
    private const double Edge = 44;
    private const double LeastBetweenTicks = 60;
    private const double LeastOnAPhone = 100;

    /// <param name="name">What it shows.</param>
    /// <param name="unit">A value as text.</param>
    /// <param name="limit">A value that no other may pass, with its words; or null.</param>
    public static Markup Draw(string name, IReadOnlyList<RangeRow> rows, Func<double, string> unit, (double Value, string Words)? limit = null)
    {
        double bottom = 8 + (rows.Count * Row) + (limit is null ? 0 : 18);
        var axis = Axis.Linear([.. rows.SelectMany(r => r.Marks).SelectMany(m => new[] { m.Low, m.High }), .. limit is { } l ? new[] { l.Value } : []], Left, Right);
        return Tag(
            "div",
            [("class", "chart")],
            Tag(
                "svg",
                [("viewBox", $"0 0 {Plain(Width)} {Plain(bottom + 30)}"), ("role", "group"), ("aria-label", name)],
                [.. Scale(axis, bottom, unit), .. Limit(axis, bottom, limit), .. rows.Select((r, i) => Of(r, axis, bottom - ((rows.Count - i) * Row)))]));
    }

    private static IEnumerable<Markup> Scale(Axis axis, double bottom, Func<double, string> unit)
    {
        foreach ((double value, double x, bool isMinor) in axis.SpacedTicks(LeastBetweenTicks, LeastOnAPhone))
        {
            yield return Line(value == 0 ? "axis" : "grid", x, 4, x, bottom);
            yield return Text(isMinor ? "tick minor" : "tick", x, bottom + 20, x < Edge ? "start" : x > Width - Edge ? "end" : "middle", unit(value));
        }

        yield return Line("axis", Left, bottom, Right, bottom);
    }

    private static IEnumerable<Markup> Limit(Axis axis, double bottom, (double Value, string Words)? limit)
    {
        if (limit is not { } at)
        {
            yield break;
        }

        double x = axis.At(at.Value);
        yield return Line("budget", x, 4, x, bottom);
        yield return Text("budget-label", x + (x > Width / 2 ? -6 : 6), 18, x > Width / 2 ? "end" : "start", at.Words);
    }

    private static Markup Of(RangeRow row, Axis axis, double top) => Point("range", row.Words, true, [
        Text("row", Left + 4, top + 16, "start", row.Label),
        .. row.Marks.SelectMany((mark, index) => Of(mark, axis, top + 29 + (index * (row.Marks.Count > 1 ? 9 : 0)) - (row.Marks.Count > 1 ? 4 : 0))),
    ]);

    private static IEnumerable<Markup> Of(RangeMark mark, Axis axis, double y)
    {
        if (mark.High > mark.Low)
        {
            yield return Line($"whisker {mark.Class}", axis.At(mark.Low), y, axis.At(mark.High), y);
        }

        yield return Circle($"mark {mark.Class}", axis.At(mark.Value), y, 4.5);
    }
}
