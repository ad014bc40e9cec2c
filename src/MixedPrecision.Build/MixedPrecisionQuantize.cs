using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace MixedPrecision.Build;

/// <summary>
/// Runs <c>mixed-precision quantize</c> in a process of its own and turns the JSON lines that it writes into messages,
/// warnings and errors. Holds no logic: each property is one switch of the command line.
/// </summary>
[MSBuildMultiThreadableTask]
public class MixedPrecisionQuantize : ToolTask
{
    private const string FailedCode = "MPB9001";
    private const string HelpAnchor = "#mpb9001-tool-failed";
    private const string CrashMark = "Unhandled exception";

    private string lastWords = "it wrote nothing";

    /// <summary>Full path of <c>dotnet</c>, which runs the tool; empty: the one on the search path.</summary>
    public string DotnetHost { get; set; } = "";

    /// <summary>Full path of the tool's assembly, <c>mixed-precision.dll</c>: the program that <c>dotnet exec</c> runs.</summary>
    [Required]
    public string ToolAssembly { get; set; } = "";

    /// <summary>Full path of the policy: the argument of <c>quantize</c>.</summary>
    [Required]
    public string Policy { get; set; } = "";

    /// <summary>Full path of the folder that the emitted files go to: <c>--output</c>.</summary>
    [Required]
    public string OutputDirectory { get; set; } = "";

    /// <summary>Folder of the cache; empty: the user's cache folder: <c>--cache</c>.</summary>
    public string CacheDirectory { get; set; } = "";

    /// <summary>File that receives the paths of all files which the run read, one per line: <c>--inputs-file</c>.</summary>
    public string InputsFile { get; set; } = "";

    /// <inheritdoc/>
    protected override string ToolName => Path.GetFileName(GenerateFullPathToTool());

    /// <inheritdoc/>
    protected override Encoding ResponseFileEncoding => new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

    /// <inheritdoc/>
    protected override Encoding StandardOutputEncoding => Encoding.UTF8;

    /// <inheritdoc/>
    protected override Encoding StandardErrorEncoding => Encoding.UTF8;

    /// <inheritdoc/>
    protected override MessageImportance StandardErrorLoggingImportance => MessageImportance.High;

    /// <inheritdoc/>
    protected override string GenerateFullPathToTool() => DotnetHost.Length > 0 ? DotnetHost : "dotnet";

    /// <summary>The policy's folder: the tool is given full paths and needs no current directory, but a process has one.</summary>
    protected override string GetWorkingDirectory() => Path.GetDirectoryName(Policy) ?? "";

    /// <summary>Host and program alone; everything else stands in the response file.</summary>
    protected override string GenerateCommandLineCommands()
    {
        var line = new CommandLineBuilder();
        line.AppendSwitch("exec");
        line.AppendSwitch("--roll-forward");
        line.AppendSwitch("Major");
        line.AppendFileNameIfNotNull(ToolAssembly);
        return line.ToString();
    }

    /// <summary>One quoted argument per line: the tool takes everything between the outer quotes as it stands.</summary>
    protected override string GenerateResponseFileCommands() =>
        string.Concat(Arguments().Select(argument => "\"" + argument + "\"\n"));

    /// <summary>A JSON line becomes what it says; any other line (a crash of the tool) is shown and kept for the error.</summary>
    protected override void LogEventsFromTextOutput(string singleLine, MessageImportance messageImportance)
    {
        if (ToolEvent.TryParse(singleLine) is { } parsed)
        {
            parsed.LogTo(Log);
            return;
        }
        // Of a crash the first line says what happened; the stack follows it.
        if (singleLine.Length > 0 && !lastWords.StartsWith(CrashMark, StringComparison.Ordinal))
        {
            lastWords = singleLine;
        }
        base.LogEventsFromTextOutput(singleLine, messageImportance);
    }

    /// <summary>A failure that the tool reported is enough; one that it did not report (a crash, a kill) gets its own code.</summary>
    protected override bool HandleTaskExecutionErrors()
    {
        if (!Log.HasLoggedErrors)
        {
            string helpLink = new Uri(new Uri(ToolAssembly), "errors.md").AbsoluteUri + HelpAnchor;
            Log.LogError(null, FailedCode, null, helpLink, Policy, 0, 0, 0, 0, "{0}", $"The tool ended with exit code {ExitCode} without naming an error: {lastWords}");
        }
        return false;
    }

    private IEnumerable<string> Arguments()
    {
        yield return "quantize";
        yield return Policy;
        foreach (string argument in Option("--output", OutputDirectory).Concat(Option("--cache", CacheDirectory)).Concat(Option("--inputs-file", InputsFile)))
        {
            yield return argument;
        }
        yield return "--log-format";
        yield return "msbuild";
    }

    private static IEnumerable<string> Option(string name, string value) => value.Length == 0 ? [] : [name, value];
}
