using MixedPrecision.Cli;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using Spectre.Console;

namespace MixedPrecision.EndToEnd.Tests.Cli;

public sealed class VerbRunnerTests : IDisposable
{
    private readonly StringWriter output = new();
    private readonly StringWriter error = new();

    [Fact]
    public void A_result_goes_to_standard_output()
    {
        Assert.Equal(0, Run(() => ["a", "b"]));
        Assert.Equal("a\nb\n", output.ToString().ReplaceLineEndings("\n"));
        Assert.Empty(error.ToString());
    }

    [Fact]
    public void A_failure_that_the_user_can_mend_is_one_line_with_its_place()
    {
        Assert.Equal(1, Run(() => throw new MixedPrecisionException(Codes.PolicyNotYaml, new Place("p.yaml", 3, 7), "text")));
        Assert.Equal("p.yaml(3,7): error MPB1003: text\n", error.ToString().ReplaceLineEndings("\n"));
        Assert.Empty(output.ToString());
    }

    [Fact]
    public void Any_other_failure_is_thrown() =>
        Assert.Throws<InvalidOperationException>(() => Run(() => throw new InvalidOperationException("a defect")));

    [Fact]
    public void A_cancelled_run_ends_with_130_and_says_nothing()
    {
        using var cancel = new CancellationTokenSource();
        int code = VerbRunner.Run(
            () =>
            {
                cancel.Cancel();
                cancel.Token.ThrowIfCancellationRequested();
                return [];
            },
            new TextReporter(output, error, TimeProvider.System),
            cancel.Token);

        Assert.Equal(130, code);
        Assert.Empty(output.ToString() + error);
    }

    [Fact]
    public void Lines_of_one_stage_are_spaced_out()
    {
        var clock = new StoppedClock();
        var reporter = new TextReporter(output, error, clock);
        reporter.Progress(new ProgressUpdate("calibrate", "sample 1", 0.01, null));
        reporter.Progress(new ProgressUpdate("calibrate", "sample 2", 0.02, null));
        reporter.Progress(new ProgressUpdate("calibrate", "a message", null, null));
        clock.Seconds = 11;
        reporter.Progress(new ProgressUpdate("calibrate", "sample 3", 0.03, TimeSpan.FromSeconds(90)));
        reporter.Progress(new ProgressUpdate("benchmark", "sub-graph 1", 0, null));

        Assert.Equal(
            ["calibrate: sample 1 1 %", "calibrate: a message", "calibrate: sample 3 3 %, 90 s left", "benchmark: sub-graph 1 0 %"],
            error.ToString().ReplaceLineEndings("\n").TrimEnd('\n').Split('\n'));
        Assert.Empty(output.ToString());
    }

    [Fact]
    public void One_of_many_is_not_told_where_a_line_of_all_follows()
    {
        var reporter = new TextReporter(output, error, new StoppedClock());
        using var terminal = new StringWriter();
        var bars = new TerminalReporter(output, AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(terminal) }));
        foreach (Reporter each in new Reporter[] { reporter, bars })
        {
            each.Progress(new ProgressUpdate("solve", "started") { IsPart = true });
            each.Progress(new ProgressUpdate("solve", "done in 0.0 s") { IsPart = true });
            each.Progress(new ProgressUpdate("search", "done in 0.1 s, 1 program solved"));
        }

        Assert.Equal(["search: done in 0.1 s, 1 program solved"], error.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal(["search: done in 0.1 s, 1 program solved"], terminal.ToString().Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries));
    }

    /// <summary>Bars hide the cursor; a process that ends while they are shown brings it back, whatever becomes of the work.</summary>
    [Fact]
    public void A_terminal_is_left_as_it_was()
    {
        const string Hide = "\u001b[?25l", Show = "\u001b[?25h";
        using var terminal = new StringWriter();
        var bars = new TerminalReporter(output, AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.Yes, Interactive = InteractionSupport.Yes, Out = new AnsiConsoleOutput(terminal) }));
        string during = "";
        bars.Abandon();
        Assert.Empty(terminal.ToString());
        Assert.Throws<OperationCanceledException>(() => bars.During(() =>
        {
            bars.Progress(new ProgressUpdate("calibrate", "sample 1", 0.1));
            Thread.Sleep(300);
            bars.Abandon();
            during = terminal.ToString();
            throw new OperationCanceledException();
        }));
        Assert.Contains(Hide, during, StringComparison.Ordinal);
        Assert.True(during.LastIndexOf(Show, StringComparison.Ordinal) > during.LastIndexOf(Hide, StringComparison.Ordinal), "the cursor stays hidden");
        Assert.True(terminal.ToString().LastIndexOf(Show, StringComparison.Ordinal) > terminal.ToString().LastIndexOf(Hide, StringComparison.Ordinal), "the cursor stays hidden after an error");
    }

    public void Dispose()
    {
        output.Dispose();
        error.Dispose();
    }

    private int Run(Func<IReadOnlyList<string>> execute) =>
        VerbRunner.Run(execute, new TextReporter(output, error, TimeProvider.System), CancellationToken.None);

    private sealed class StoppedClock : TimeProvider
    {
        public long Seconds { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Seconds;
    }
}
