using System.CommandLine;
using System.CommandLine.Invocation;
using System.Text;
using MixedPrecision.Cli;
using Spectre.Console;

// A run that does not heed a cancellation is ended after this time; every file is written aside and renamed.
const int EndedBySigterm = 143;
TimeSpan patience = TimeSpan.FromSeconds(1.5);

Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

var commandLine = new CommandLine();
ParseResult parsed = commandLine.Parse(args, (invocation, cancel) =>
{
    Reporter reporter = ReporterFor(invocation.LogFormat);
    // On a thread of its own: the parser waits for the end of the run, or no longer than its patience after Ctrl+C.
    return Task.Run(() => VerbRunner.Run(() => Engine.Execute(invocation, reporter, cancel), reporter, cancel), CancellationToken.None);
});
if (parsed.Errors.Count > 0 && parsed.Action is ParseErrorAction or null)
{
    ReporterFor(commandLine.LogFormatOf(parsed)).Diagnose(CommandLine.Problem(parsed).Diagnostic);
    return VerbRunner.UserError;
}
int code = await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = patience });
return code == EndedBySigterm ? VerbRunner.Cancelled : code;

static Reporter ReporterFor(LogFormat format)
{
    if (format == LogFormat.MSBuild)
    {
        return new MSBuildReporter(Console.Out);
    }
    return Console.IsErrorRedirected
        ? new TextReporter(Console.Out, Console.Error, TimeProvider.System)
        : new TerminalReporter(Console.Out, AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) }));
}
