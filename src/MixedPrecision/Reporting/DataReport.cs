using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>A file of samples that was written.</summary>
/// <param name="File">The file.</param>
/// <param name="Samples">Its samples.</param>
/// <param name="Bytes">Its size.</param>
public sealed record DataFile(string File, int Samples, long Bytes);

/// <summary>What samples were made from.</summary>
/// <param name="File">The file or folder.</param>
/// <param name="What">What was taken from it, for people.</param>
/// <param name="Samples">Samples that it holds.</param>
public sealed record DataSource(string File, string What, long Samples);

/// <summary>What <c>data</c> made.</summary>
/// <param name="Files">The samples to calibrate with, and where asked for those to verify on.</param>
/// <param name="Sources">What they were made from.</param>
/// <param name="Different">Samples that they were chosen from; of images, all of them.</param>
/// <param name="Repeated">Samples that were left out since they have the inputs of others.</param>
/// <param name="Inputs">Shapes of each input, as a range.</param>
/// <param name="Labels">Keys of the labels.</param>
/// <param name="Classes">By label, where the data have names for classes: the names in the order of their numbers, from 0.</param>
/// <param name="Notes">What the reader should know.</param>
public sealed record DataReport(
    IReadOnlyList<DataFile> Files,
    IReadOnlyList<DataSource> Sources,
    long Different,
    int Repeated,
    IReadOnlyDictionary<string, string> Inputs,
    IReadOnlyList<string> Labels,
    IReadOnlyDictionary<string, IReadOnlyList<string>> Classes,
    IReadOnlyList<string> Notes)
{
    private const int MostClasses = 6;

    /// <summary>Fewer say little of others.</summary>
    private const int Few = 64;

    public string ToJson() => ReportJson.Write(this);

    /// <summary>For people; names in data and model may be anything, hence nothing in them reaches the terminal as a control character.</summary>
    public IEnumerable<string> ToLines() => Lines().Select(Wording.EscapeWhole);

    private IEnumerable<string> Lines() =>
    [
        .. Files.Select(f => $"{f.File}: {ReportText.Count(f.Samples, "sample")}, {ReportText.Bytes(f.Bytes)}"),
        .. Sources.Select(s => $"from {s.File}: {ReportText.Count(s.Samples, "sample")}: {s.What}"),
        .. Repeated == 0 ? [] : new[] { $"left out: {ReportText.Count(Repeated, "sample")} with the inputs of others" },
        $"inputs: {string.Join("; ", Inputs.Select(i => $"{i.Key} {i.Value}"))}",
        .. Labels.Count == 0 ? [] : new[] { $"labels: {string.Join(", ", Labels)}" },
        .. Classes.Select(c => $"classes of {c.Key}, which the model has to number alike: {string.Join(", ", c.Value.Take(MostClasses).Select((name, index) => $"{index} {name}"))}{(c.Value.Count > MostClasses ? $", … {c.Value.Count - 1} {c.Value[^1]}" : "")}"),
        .. Notes.Select(n => "note: " + n),
        .. Files[0].Samples < Few ? new[] { "note: these are few; a few hundred that resemble what the app sees are good" } : [],
        $"policy: calibration: {{ data: {Files[0].File}{(Labels.Count == 1 ? $", labels: {Labels[0]}" : "")} }}{(Files.Count > 1 ? $", evaluation: {{ data: {Files[1].File} }}" : "")}, paths from the policy's folder",
    ];
}
