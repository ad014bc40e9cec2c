using System.CommandLine;
using System.CommandLine.Invocation;
using System.Text;
using MixedPrecision.Caching;
using MixedPrecision.Cli;
using Spectre.Console;

// A run that does not heed a cancellation is ended after this time; every file is written aside and renamed.
const int EndedBySigterm = 143;
TimeSpan patience = TimeSpan.FromSeconds(1.5);

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

Reporter reporter = ReporterFor(LogFormat.Text);
// No trace is shown: neither of a defect here, nor of one on a thread that nobody waits for, after which the process cannot go on.
AppDomain.CurrentDomain.UnhandledException += (_, failure) =>
{
    reporter.Abandon();
    Environment.Exit(DefectReport.Tell((Exception)failure.ExceptionObject, reporter));
};
try
{
    var commandLine = new CommandLine();
    ParseResult parsed = commandLine.Parse(args, (invocation, cancel) =>
    {
        reporter = ReporterFor(invocation.LogFormat, invocation);
        // On a thread of its own: the parser waits for the end of the run, or no longer than its patience after Ctrl+C.
        return Task.Run(() => VerbRunner.Run(() => Engine.Execute(invocation, reporter, cancel), reporter, cancel), CancellationToken.None);
    });
    if (parsed.Errors.Count > 0 && parsed.Action is ParseErrorAction or null)
    {
        ReporterFor(commandLine.LogFormatOf(parsed)).Diagnose(CommandLine.Problem(parsed).Diagnostic);
        return VerbRunner.UserError;
    }
    int code = await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = patience });
    if (code != EndedBySigterm)
    {
        return code;
    }
    // The run did not heed the cancellation in time, and ends with the process: what it would have cleared up goes now.
    reporter.Abandon();
    StagingFolder.DisposeAll();
    return VerbRunner.Cancelled;
}
catch (Exception defect)
{
    return DefectReport.Tell(defect, reporter);
}

static Reporter ReporterFor(LogFormat format, Invocation? invocation = null)
{
    if (format == LogFormat.MSBuild)
    {
        string[] files = [.. new[] { invocation?.File, invocation?.Output is { } output ? Path.Combine(output, "any") : null }.OfType<string>()];
        return new MSBuildReporter(Console.Out, [.. files.Select(file => Path.GetDirectoryName(Path.GetFullPath(file))!)]);
    }
    return Console.IsErrorRedirected
        ? new TextReporter(Console.Out, Console.Error, TimeProvider.System)
        : new TerminalReporter(Console.Out, AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) }));
}
