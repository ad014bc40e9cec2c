using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using Spectre.Console;

namespace MixedPrecision.Cli;

/// <summary>One progress bar per stage on standard error, while the run lasts; results to standard output.</summary>
/// <param name="output">Receives results.</param>
/// <param name="console">The terminal.</param>
public sealed class TerminalReporter(TextWriter output, IAnsiConsole console) : Reporter
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, ProgressTask> bars = [];
    private ProgressContext? context;

    public override void During(Action work) =>
        console.Progress()
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .Start(started =>
            {
                context = started;
                try
                {
                    work();
                }
                finally
                {
                    context = null;
                }
            });

    /// <summary>The line of a bar ends, and the cursor, which bars hide, is shown again.</summary>
    public override void Abandon()
    {
        if (context is not null)
        {
            console.Cursor.Show(true);
            console.WriteLine();
        }
    }

    public override void Progress(ProgressUpdate update)
    {
        if (update.IsPart)
        {
            return;
        }

        lock (gate)
        {
            if (update.Fraction is not double fraction || context is null)
            {
                console.WriteLine($"{update.Stage}: {update.Text}");
                return;
            }
            if (!bars.TryGetValue(update.Stage, out ProgressTask? bar))
            {
                bar = context.AddTask(Markup.Escape(update.Stage), maxValue: 1);
                bars.Add(update.Stage, bar);
            }
            string left = update.Left is TimeSpan time ? $", {time.TotalSeconds:F0} s left" : "";
            bar.Description = Markup.Escape($"{update.Stage}: {update.Text}{left}");
            bar.Value = fraction;
        }
    }

    public override void Diagnose(Diagnostic diagnostic)
    {
        lock (gate)
        {
            console.WriteLine(diagnostic.ToString(), new Style(diagnostic.Severity == Severity.Error ? Color.Red : Color.Yellow));
        }
    }

    public override void Result(IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            output.WriteLine(line);
        }
    }
}
