using MixedPrecision.Policies;
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

        Markup speed = data.Speedup is { } factor ? All($" runs {Factor(factor)} as fast as ", Name(NameOf(manifest.Model)), " and ")
            : data.TimedElsewhere is { } profile && data.Unit == Quantity.Milliseconds ? All($" is predicted to save {Milliseconds(manifest.Predicted.Gain.Value)} a run on ", Name(profile.Machine.Processor), " (end-to-end time was not measured) and ")
            : " ";
        string size = manifest.Bytes.Mixed == manifest.Bytes.Original ? $"is as large ({Bytes(manifest.Bytes.Mixed)})"
            : $"is {Percent(Math.Abs(Change(manifest)))} {(Change(manifest) < 0 ? "smaller" : "larger")} ({Bytes(manifest.Bytes.Original)} → {Bytes(manifest.Bytes.Mixed)})";
        string loss = !data.IsMeasured ? "its loss was not measured"
            : $"its {BudgetSection.Words(data.Limits[0].Name)} is {data.Limits[0].Say(manifest.Budget.Measured)} of the {BudgetSection.Allowed(data.Limits[0])}, on {Count(manifest.Samples.Evaluation, "sample")} that calibration did not read";
        string accuracy = manifest.Measured.Accuracy is { } a ? $", and its accuracy went from {Percent(a.Original)} to {Percent(a.Mixed)}" : "";
        // A number is not parted from its unit.
        return All(Name(manifest.Output.File), speed, $"{size}; {loss}{accuracy}{Others(data)}.".Replace(" %", "\u00a0%", StringComparison.Ordinal).Replace(" MB", "\u00a0MB", StringComparison.Ordinal).Replace(" GB", "\u00a0GB", StringComparison.Ordinal));
    }

    /// <summary>Whether all limits are kept, where there are several.</summary>
    private static string Others(PageData data) => !data.IsMeasured || data.Limits.Count < 2 ? ""
        : data.Limits.Where(l => !l.IsWithin).Select(l => BudgetSection.Words(l.Name)).ToArray() is { Length: > 0 } over ? $"; not within its limit: {string.Join(", ", over)}"
        : $"; all {Count(data.Limits.Count)} limits of the budget are kept";

    /// <summary>The file without its folders, as either system writes them.</summary>
    private static string NameOf(ModelSummary model) => model.File.Split('/', '\\')[^1];

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

        else if (data.TimedElsewhere is { } profile && data.Unit == Quantity.Milliseconds)
        {
            yield return Figure("Predicted to save", Milliseconds(manifest.Predicted.Gain.Value), All("a run on ", Name(profile.Machine.Processor), "; end-to-end time was not measured"));
        }

        foreach (ManifestLimit limit in data.Limits.Where(l => data.IsMeasured && l.Name != SizeLimit.Key))
        {
            yield return Figure(BudgetSection.Title(limit), limit.Say(limit.Measured), $"of {BudgetSection.Allowed(limit)}", BudgetSection.Meter(BudgetSection.Used(limit), "meter"));
        }

        if (manifest.Measured.Accuracy is { } accuracy)
        {
            yield return Figure("Accuracy", Percent(accuracy.Mixed), $"from {Percent(accuracy.Original)}");
        }

        yield return data.Limits.FirstOrDefault(l => l.Name == SizeLimit.Key) is { } size
            ? Figure("Size", Bytes(manifest.Bytes.Mixed), $"of {BudgetSection.Allowed(size)}, from {Bytes(manifest.Bytes.Original)}", BudgetSection.Meter(BudgetSection.Used(size), "meter"))
            : Figure("Size", Bytes(manifest.Bytes.Mixed), $"from {Bytes(manifest.Bytes.Original)}");
        yield return Figure("Layers in fewer bits", Count(data.Layers.Count(l => l.IsChanged)), $"of {Count(data.Layers.Count)}");
    }

    private static Markup Figure(string name, string value, Markup note, Markup more = default) => Tag("div", Tag("dt", name), Tag("dd", Tag("b", value), Tag("span", [("class", "note")], note), more));
}
