using System.Collections.Generic;
using System.Globalization;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace MixedPrecision.Build;

/// <summary>One line of the tool's output: <c>{"kind":"message|progress|warning|error|result","code":…,"file":…,"line":…,"column":…,"text":…,"helpLink":…,"output":…,"originals":…}</c>.</summary>
public sealed record ToolEvent(string Kind, string? Code, string? File, int Line, int Column, string Text, string? HelpLink)
{
    /// <summary>Of a result: file name of the emitted model.</summary>
    public string Output { get; init; } = "";

    /// <summary>Of a result: full paths of the files of the original model, its own first.</summary>
    public IReadOnlyList<string> Originals { get; init; } = [];

    /// <summary>Null for a line which is no JSON object with a known kind and a text.</summary>
    public static ToolEvent? TryParse(string line)
    {
        if (JsonLine.TryParse(line) is not { } fields
            || !fields.TryGetValue("text", out string? text)
            || text is null
            || !fields.TryGetValue("kind", out string? kind)
            || kind is not ("message" or "progress" or "warning" or "error" or "result"))
        {
            return null;
        }
        return new ToolEvent(kind, Field(fields, "code"), Field(fields, "file"), Number(fields, "line"), Number(fields, "column"), text, Field(fields, "helpLink"))
        {
            Output = Field(fields, "output") ?? "",
            Originals = Field(fields, "originals")?.Split('\n') ?? [],
        };
    }

    /// <summary>Logs the event as MSBuild's own: a message is shown at normal verbosity and above, progress at detailed.</summary>
    public void LogTo(TaskLoggingHelper log)
    {
        // The text goes in as an argument: braces in it are no placeholders.
        switch (Kind)
        {
            case "error":
                log.LogError(null, Code, null, HelpLink, File, Line, Column, 0, 0, "{0}", Text);
                break;
            case "warning":
                log.LogWarning(null, Code, null, HelpLink, File, Line, Column, 0, 0, "{0}", Text);
                break;
            // Results are told of when everything is in its place: see MixedPrecisionSummary.
            case "result":
            case "progress":
                log.LogMessage(MessageImportance.Low, "{0}", Text);
                break;
            default:
                log.LogMessage(MessageImportance.High, "{0}", Text);
                break;
        }
    }

    private static string? Field(Dictionary<string, string?> fields, string name) => fields.TryGetValue(name, out string? value) ? value : null;

    private static int Number(Dictionary<string, string?> fields, string name) =>
        int.TryParse(Field(fields, name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int number) ? number : 0;
}
