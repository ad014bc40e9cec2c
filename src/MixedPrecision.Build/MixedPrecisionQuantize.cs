using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

namespace MixedPrecision.Build;

/// <summary>
/// Runs <c>mixed-precision quantize</c> in a process of its own, where something changed since the last run, and turns the JSON lines that it writes
/// into messages, warnings and errors. Each property is one switch of the command line, or a folder.
/// </summary>
[MSBuildMultiThreadableTask]
public class MixedPrecisionQuantize : ToolTask
{
    private const string CrashMark = "Unhandled exception";

    private readonly List<string> warnings = [];
    private readonly List<string> results = [];
    private string lastWords = "it wrote nothing";
    private volatile bool cancelled;

    /// <summary>Full path of <c>dotnet</c>, which runs the tool; empty: the one on the search path.</summary>
    public string DotnetHost { get; set; } = "";

    /// <summary>Full path of the tool's assembly, <c>mixed-precision.dll</c>: the program that <c>dotnet exec</c> runs.</summary>
    [Required]
    public string ToolAssembly { get; set; } = "";

    /// <summary>Full path of the policy: the argument of <c>quantize</c>.</summary>
    [Required]
    public string Policy { get; set; } = "";

    /// <summary>Full path of the folder in obj that is the task's own: it keeps the emitted files in <c>emitted</c>, and what they came from.</summary>
    [Required]
    public string Folder { get; set; } = "";

    /// <summary>Folder of the cache; empty: the user's cache folder: <c>--cache</c>.</summary>
    public string CacheDirectory { get; set; } = "";

    /// <summary>Whether the policy has to have a lock, which has to fit: <c>--locked</c>.</summary>
    public bool Locked { get; set; }

    /// <summary>Full path of the native library of the ONNX Runtime that the app references, for this host; empty: the app references none: <c>--onnxruntime</c>.</summary>
    public string RuntimeLibrary { get; set; } = "";

    /// <summary>Version of that package: <c>--onnxruntime-version</c>.</summary>
    public string RuntimeVersion { get; set; } = "";

    /// <summary>What the app is published for, such as win-x64; empty: nothing in particular: <c>--runtime-identifier</c>.</summary>
    public string RuntimeIdentifier { get; set; } = "";

    /// <summary>The policy, where nothing changed and the result of an earlier run counts; else nothing.</summary>
    [Output]
    public ITaskItem[] Reused { get; private set; } = [];

    /// <summary>Folder of the run under way.</summary>
    protected string RunFolder { get; set; } = "";

    private string OutputDirectory => Path.Combine(RunFolder, "emitted");

    /// <summary>Receives the paths of all files that the run read, one per line, when it has succeeded.</summary>
    private string InputsFile => Path.Combine(RunFolder, "read.txt");

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

    /// <summary>Waits for a run of the same policy beside this one, then reuses its result, or runs the tool and keeps what it emitted.</summary>
    public override bool Execute()
    {
        try
        {
            using EmittedFolder? folder = EmittedFolder.Open(Folder, () => cancelled, () => Log.LogMessage(
                MessageImportance.High, "MixedPrecision: waits for another run of '{0}', whose result it then reuses", Policy));
            return folder is not null && Execute(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            LogError("MPB8004", "#mpb8004-output-folder-not-writable", Folder, $"The folder of emitted files cannot be written: {exception.Message} Make room and rights in it.");
            return false;
        }
    }

    /// <inheritdoc/>
    public override void Cancel()
    {
        cancelled = true;
        base.Cancel();
    }

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
            if (parsed.Kind is "warning" or "result")
            {
                (parsed.Kind == "warning" ? warnings : results).Add(singleLine);
            }
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
            LogError("MPB9001", "#mpb9001-tool-failed", Policy, $"The tool ended with exit code {ExitCode} without naming an error: {lastWords}");
        }
        return false;
    }

    private bool Execute(EmittedFolder folder)
    {
        string[] settings = ["policy " + Policy, "cache " + CacheDirectory, "tool " + ToolAssembly, "locked " + Locked, "onnxruntime " + RuntimeLibrary, "runtime " + RuntimeIdentifier];
        if (folder.WarningsIfCurrent(settings) is { } kept)
        {
            Log.LogMessage(MessageImportance.Low, "MixedPrecision: nothing changed since the last run of '{0}'", Policy);
            foreach (string line in kept)
            {
                ToolEvent.TryParse(line)?.LogTo(Log);
            }
            Reused = [new TaskItem(Escaping.Escape(Policy))];
            return !Log.HasLoggedErrors;
        }
        RunFolder = folder.NewRun();
        try
        {
            Directory.CreateDirectory(OutputDirectory);
            DateTime began = DateTime.UtcNow;
            bool succeeded = base.Execute();
            // Written last: the tool succeeded, though a warning that counts as an error may fail the build, now and whenever it is repeated.
            if (File.Exists(InputsFile))
            {
                IEnumerable<string> tool = Directory.GetFiles(Path.GetDirectoryName(ToolAssembly)!, "*.dll");
                folder.Commit(OutputDirectory, Stamp.Of(settings, [Policy, .. File.ReadAllLines(InputsFile), .. tool], OutputDirectory, warnings, results, began));
            }
            return succeeded;
        }
        finally
        {
            EmittedFolder.Delete(RunFolder);
        }
    }

    private void LogError(string code, string anchor, string file, string text) =>
        Log.LogError(null, code, null, Escaping.HelpLink(ToolAssembly, anchor), file, 0, 0, 0, 0, "{0}", text);

    private IEnumerable<string> Arguments()
    {
        yield return "quantize";
        yield return Policy;
        foreach (string argument in Option("--output", OutputDirectory).Concat(Option("--cache", CacheDirectory)).Concat(Option("--inputs-file", InputsFile))
            .Concat(Option("--onnxruntime", RuntimeLibrary)).Concat(Option("--onnxruntime-version", RuntimeVersion)).Concat(Option("--runtime-identifier", RuntimeIdentifier)))
        {
            yield return argument;
        }
        if (Locked)
        {
            yield return "--locked";
        }
        yield return "--log-format";
        yield return "msbuild";
    }

    private static IEnumerable<string> Option(string name, string value) => value.Length == 0 ? [] : [name, value];
}
