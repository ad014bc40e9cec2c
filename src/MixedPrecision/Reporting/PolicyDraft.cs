using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>What <c>init</c> wrote, and what a person has to bring.</summary>
/// <param name="Policy">The policy's file.</param>
/// <param name="Schema">The schema's file beside it, which editors check the policy by.</param>
/// <param name="Model">The model, as the policy names it.</param>
/// <param name="Loss">The loss that was guessed.</param>
/// <param name="Why">Why this one.</param>
/// <param name="Scenarios">The scenarios that were guessed, by name with the sizes of the dimensions; none where all sizes are fixed.</param>
/// <param name="Data">Name of the file of samples that the policy asks for, beside it.</param>
/// <param name="Sample">A line of that file; values are made up.</param>
/// <param name="IsAbridged">Whether the line is too long to show whole: where it has "…", values are left out.</param>
public sealed record PolicyDraft(
    string Policy,
    string Schema,
    string Model,
    string Loss,
    string Why,
    IReadOnlyDictionary<string, IReadOnlyDictionary<string, long>> Scenarios,
    string Data,
    string Sample,
    bool IsAbridged)
{
    public string ToJson() => ReportJson.Write(this);

    /// <summary>For people; names in the graph may be anything, hence nothing in them reaches the terminal as a control character.</summary>
    public IEnumerable<string> ToLines() => Lines().Select(Wording.EscapeWhole);

    private IEnumerable<string> Lines() =>
    [
        Policy,
        $"loss: {Loss}, since {Why}",
        .. Scenarios.Select(s => $"scenario {s.Key}: {string.Join(", ", s.Value.Select(size => $"{size.Key} {ReportText.Count(size.Value)}"))}"),
        $"next: write {Data} beside it, a few hundred samples that resemble what the app sees, on each line one as{(IsAbridged ? ", abridged," : "")}",
        "  " + Sample,
        $"or:   mixed-precision data MODEL FROM --output {Path.Combine(Path.GetDirectoryName(Policy) ?? "", Data)} makes them of images, texts, tables, arrays or recorded inputs",
        $"then: mixed-precision quantize {Policy} --output DIR, or the property MixedPrecisionPolicy and dotnet publish",
    ];
}
