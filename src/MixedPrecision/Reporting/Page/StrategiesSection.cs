using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>What simpler ways to choose would have gained at the same budget.</summary>
internal static class StrategiesSection
{
    public static Section? Of(PageData data)
    {
        IReadOnlyList<StrategyPlan> strategies = data.Manifest.Strategies;
        if (strategies.Count == 0)
        {
            return null;
        }

        // What ships may be another file than the plan's.
        double? plan = data.Manifest.Solver?.Objective;
        double most = strategies.Select(s => s.Gain).Append(plan ?? 0).Max();
        var rows = strategies.Select(s => Row(data, NameOf(s.Name), s.Gain, data.Relative(s.LossMse), s.WithinBudget, most, isPlan: false)).ToList();
        if (plan is { } gain)
        {
            rows.Insert(0, Row(data, "the plan", gain, data.Manifest.Shipped.What == "plan" ? data.Manifest.Predicted.RelativeLossError : null, true, most, isPlan: true));
        }

        return new Section(
            "strategies",
            "Simpler ways to choose",
            Tag("p", $"Each at the τ that the plan was made for, {ReportText.Percent(data.Manifest.Budget.SolvedTau)}, with gains counted alike: at the lower end of what was measured."),
            Table.Of("What each way would have gained", [new("Way"), new("Gain", true), new("Drawn"), new("Relative loss error", true), new("Budget")], rows, chosen: plan is null ? -1 : 0));
    }

    /// <summary>A strategy in words.</summary>
    public static string NameOf(string name) => name switch
    {
        "prefix" => "the first layers",
        "random" => "layers at random",
        "per-layer" => "layers one by one",
        _ => name,
    };

    private static IReadOnlyList<Cell> Row(PageData data, string name, double gain, double? error, bool isWithin, double most, bool isPlan) =>
    [
        name,
        Gain(gain, data.Unit),
        Tag(
            "svg", [("class", "bar"), ("viewBox", "0 0 100 10"), ("preserveAspectRatio", "none"), ("aria-hidden", "true")],
            Drawing.Rectangle(isPlan ? "used" : isWithin ? "used other" : "used over", 0, 0, most > 0 ? Math.Max(gain, 0) / most * 100 : 0, 10)),
        Percent(error),
        isWithin ? "within" : "over",
    ];
}
