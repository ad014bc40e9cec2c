using MixedPrecision.Policies;
using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>Each limit of a budget that has several, with what was measured of it.</summary>
internal static class BudgetSection
{
    public static Section? Of(PageData data)
    {
        IReadOnlyList<ManifestLimit> limits = data.Limits;
        if (limits.Count < 2)
        {
            return null;
        }

        bool isPredicted = limits.Any(l => l.Predicted is not null);
        return new Section(
            "budget",
            "The budget, limit by limit",
            Tag("p", data.IsMeasured
                ? $"All of them have to hold on the emitted file, on {ReportText.Count(data.Manifest.Samples.Evaluation, "sample")} that calibration did not read."
                : "The original ships, which changes neither loss nor answers."),
            Table.Of(
                "Limits, and what was measured of them",
                [new("Limit"), new("Measured", true), new("Allowed", true), .. isPredicted ? new Column[] { new("Predicted", true) } : [], new("Used of it"), new("Verdict")],
                limits.Select(l => (IReadOnlyList<Cell>)
                [
                    Title(l),
                    double.IsFinite(l.Measured) ? l.Say(l.Measured) : None,
                    $"{(l.IsLeast ? "at least" : "at most")} {l.Say(l.Allowed)}",
                    .. isPredicted ? new Cell[] { l.Predicted is { } predicted ? l.Say(predicted) : None } : [],
                    Meter(Used(l), "bar"),
                    l.IsWithin ? "kept" : "not kept",
                ])));
    }

    /// <summary>What a limit is about, from the policy's word for it.</summary>
    public static string Words(string name) => name switch
    {
        "lossIncrease" => "increase of the mean loss",
        "accuracyDrop" => "drop of accuracy",
        "agreement" => "share of equal answers",
        SizeLimit.Key => "size",
        _ => "loss error",
    };

    /// <summary>The same where it stands first.</summary>
    public static string Title(ManifestLimit limit) => Words(limit.Name) is var words ? char.ToUpperInvariant(words[0]) + words[1..] : "";

    /// <summary>What is allowed, for a note: "of 1 % allowed".</summary>
    public static string Allowed(ManifestLimit limit) => $"{limit.Say(limit.Allowed)} {(limit.IsLeast ? "asked for" : "allowed")}";

    /// <summary>How much of a limit is used, from 0 to 1: of a least share of answers, how much of the others.</summary>
    public static double Used(ManifestLimit limit)
    {
        (double most, double used) = limit.IsLeast ? (1 - limit.Allowed, 1 - limit.Measured) : (limit.Allowed, limit.Measured);
        return most > 0 ? Math.Clamp(used / most, 0, 1) : used > 0 ? 1 : 0;
    }

    /// <summary>A share as a bar.</summary>
    public static Markup Meter(double used, string look) => Tag(
        "svg", [("class", look), ("viewBox", "0 0 100 4"), ("preserveAspectRatio", "none"), ("aria-hidden", "true")],
        Drawing.Rectangle("track", 0, 0, 100, 4), Drawing.Rectangle("used", 0, 0, used * 100, 4));
}
