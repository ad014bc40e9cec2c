using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.ReportText;

namespace MixedPrecision.Reporting.Page;

/// <summary>The head of the page: what was made, in a sentence and in a few figures.</summary>
internal static class Heading
{
    public static Markup Of(PageData data) => Tag(
        "header",
        Tag("p", [("class", "over")], "Mixed precision"),
        Tag("h1", Name(data.Manifest.Output.File)),
        Tag("p", [("class", "lead")], Sentence(data)),
        Tag("dl", [("class", "figures")], [.. Figures(data)]),
        data.Manifest.Shipped.What == "original" ? default(Markup) : Tag("p", [("class", "note")], $"What ships is {What(data.Manifest.Shipped.What)}: {data.Manifest.Shipped.Why}."));

    private static string What(string what) => what switch
    {
        "plan" => "the plan",
        "exact" => "the model with exact rewrites alone",
        "rules" => "what the policy's rules set",
        _ => $"the {what} model",
    };

    private static Markup Sentence(PageData data)
    {
        Manifest manifest = data.Manifest;
        if (manifest.Shipped.What == "original")
        {
            return All(Name(NameOf(manifest.Model)), $" ships as it was: {manifest.Shipped.Why}.");
        }

        Markup speed = data.Speedup is { } factor ? All($" runs {Factor(factor)} as fast as ", Name(NameOf(manifest.Model)), " and ") : " ";
        string size = manifest.Bytes.Mixed == manifest.Bytes.Original ? $"is as large ({Bytes(manifest.Bytes.Mixed)})"
            : $"is {Percent(Math.Abs(Change(manifest)))} {(Change(manifest) < 0 ? "smaller" : "larger")} ({Bytes(manifest.Bytes.Original)} → {Bytes(manifest.Bytes.Mixed)})";
        string loss = !data.IsMeasured ? "its loss was not measured"
            : $"its {Budgeted(manifest)} is {Percent(manifest.Budget.Measured)} of the {Percent(manifest.Budget.Allowed)} {AllowedOr(manifest)}, on {Count(manifest.Samples.Evaluation, "sample")} that calibration did not read";
        string accuracy = manifest.Measured.Accuracy is { } a ? $", and its accuracy went from {Percent(a.Original)} to {Percent(a.Mixed)}" : "";
        // A number is not parted from its unit.
        return All(Name(manifest.Output.File), speed, $"{size}; {loss}{accuracy}.".Replace(" %", "\u00a0%", StringComparison.Ordinal).Replace(" MB", "\u00a0MB", StringComparison.Ordinal));
    }

    /// <summary>The file without its folders, as either system writes them.</summary>
    private static string NameOf(ModelSummary model) => model.File.Split('/', '\\')[^1];

    /// <summary>What the budget is about, from the policy's word for it.</summary>
    private static string Budgeted(Manifest manifest) => manifest.Budget.Text.Split(':')[0] switch
    {
        "lossIncrease" => "increase of the mean loss",
        "accuracyDrop" => "drop of accuracy",
        "agreement" => "share of equal answers",
        _ => "loss error",
    };

    /// <summary>Whether the figure must not be more, or not be less.</summary>
    private static string AllowedOr(Manifest manifest) => manifest.Budget.Text.StartsWith("agreement", StringComparison.Ordinal) ? "asked for" : "allowed";

    private static double Change(Manifest manifest) => manifest.Bytes.Original > 0 ? ((double)manifest.Bytes.Mixed / manifest.Bytes.Original) - 1 : 0;

    private static IEnumerable<Markup> Figures(PageData data)
    {
        Manifest manifest = data.Manifest;
        if (data.Speedup is { } factor)
        {
            yield return Figure("Speed", Factor(factor), manifest.Measured.Scenarios is [{ SpeedupInterval: [double low, double high] } one]
                ? $"{Percent(one.Confidence)} interval {Factor(low)} to {Factor(high)}"
                : $"over {Count(manifest.Measured.Scenarios.Count, "scenario")} by their weights");
        }

        if (data.IsMeasured)
        {
            yield return Figure(char.ToUpperInvariant(Budgeted(manifest)[0]) + Budgeted(manifest)[1..], Percent(manifest.Budget.Measured), $"of {Percent(manifest.Budget.Allowed)} {AllowedOr(manifest)}", Meter(manifest.Budget));
        }

        if (manifest.Measured.Accuracy is { } accuracy)
        {
            yield return Figure("Accuracy", Percent(accuracy.Mixed), $"from {Percent(accuracy.Original)}");
        }

        yield return Figure("Size", Bytes(manifest.Bytes.Mixed), $"from {Bytes(manifest.Bytes.Original)}");
        yield return Figure("Layers in fewer bits", Count(data.Layers.Count(l => l.IsChanged)), $"of {Count(data.Layers.Count)}");
    }

    private static Markup Figure(string name, string value, string note, Markup more = default) => Tag("div", Tag("dt", name), Tag("dd", Tag("b", value), Tag("span", [("class", "note")], note), more));

    /// <summary>How much of the budget is used.</summary>
    private static Markup Meter(ManifestBudget budget)
    {
        double used = budget.Allowed > 0 ? Math.Clamp(budget.Measured / budget.Allowed, 0, 1) : 0;
        return Tag(
            "svg", [("class", "meter"), ("viewBox", "0 0 100 4"), ("preserveAspectRatio", "none"), ("aria-hidden", "true")],
            Drawing.Rectangle("track", 0, 0, 100, 4), Drawing.Rectangle("used", 0, 0, used * 100, 4));
    }
}
