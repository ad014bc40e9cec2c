using System.Text.Json;
using System.Text.Json.Serialization;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Cli;

/// <summary>One JSON object per line on standard output, for the MSBuild task. Files are given by their full paths, which a build log needs.</summary>
/// <param name="output">Receives the lines.</param>
/// <param name="folders">Full paths of the folders that messages name files relative to: the policy's, then that of the emitted files.</param>
public sealed class MSBuildReporter(TextWriter output, params IReadOnlyList<string> folders) : Reporter
{
    private readonly Lock gate = new();

    // One line a stage: what became of it. That it began is seen where progress is.
    public override void Progress(ProgressUpdate update) =>
        Write(new Event(update is { Fraction: null, IsPart: false, Text: not "started" } ? "message" : "progress", TextReporter.Line(update)));

    public override void Diagnose(Diagnostic diagnostic)
    {
        Place place = diagnostic.Place;
        // File, line and column have fields of their own; node and value have not, so the text carries them.
        string model = (place with { File = null }).ToString();
        Write(new Event(diagnostic.Severity == Severity.Error ? "error" : "warning", model.Length == 0 ? diagnostic.Message : $"{model}: {diagnostic.Message}")
        {
            Code = diagnostic.Code.Id,
            File = place.File is null ? null : FullPath(place.File),
            Line = place.Line,
            Column = place.Column,
            HelpLink = HelpLink(diagnostic.Code),
        });
    }

    public override void Result(IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            Write(new Event("message", line));
        }
    }

    /// <summary>What came of a model, in one sentence.</summary>
    /// <param name="output">File name of the emitted model.</param>
    /// <param name="originals">Full paths of the files of the original model, its own first.</param>
    public void Emitted(string sentence, string output, IReadOnlyList<string> originals) =>
        Write(new Event("result", sentence) { Output = output, Originals = string.Join('\n', originals) });

    /// <summary>Lines that a file holds too: they are in the log of a build that asks for more than results.</summary>
    public void Details(IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            Write(new Event("progress", line));
        }
    }

    /// <summary>In the first of the folders that has the file, or where none has it in the first.</summary>
    private string FullPath(string file) =>
        folders.Select(folder => Path.GetFullPath(file, folder)).FirstOrDefault(Path.Exists) ?? Path.GetFullPath(file, folders is [var first, ..] ? first : Environment.CurrentDirectory);

    private void Write(Event entry)
    {
        string line = JsonSerializer.Serialize(entry, EventContext.Default.Event);
        lock (gate)
        {
            output.WriteLine(line);
        }
    }

    internal sealed record Event(string Kind, string Text)
    {
        public string? Code { get; init; }

        public string? File { get; init; }

        public int? Line { get; init; }

        public int? Column { get; init; }

        public string? HelpLink { get; init; }

        public string? Output { get; init; }

        public string? Originals { get; init; }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(MSBuildReporter.Event))]
internal sealed partial class EventContext : JsonSerializerContext
{
}
