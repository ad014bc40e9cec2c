using System.Globalization;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Cli;

/// <summary>Plain lines: results to standard output, everything else to standard error.</summary>
/// <param name="output">Receives results.</param>
/// <param name="error">Receives progress and diagnostics.</param>
/// <param name="clock">Spaces out the lines of one stage.</param>
public sealed class TextReporter(TextWriter output, TextWriter error, TimeProvider clock) : Reporter
{
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(10);

    private readonly Lock gate = new();
    private string? stage;
    private long printed;

    public override void Progress(ProgressUpdate update)
    {
        if (update.IsPart)
        {
            return;
        }

        lock (gate)
        {
            bool dueAgain = update.Stage != stage || clock.GetElapsedTime(printed) >= BetweenLines;
            if (update.Fraction is null || dueAgain)
            {
                stage = update.Stage;
                printed = clock.GetTimestamp();
                error.WriteLine(Line(update));
            }
        }
    }

    public override void Diagnose(Diagnostic diagnostic)
    {
        lock (gate)
        {
            error.WriteLine(diagnostic.ToString());
        }
    }

    public override void Result(IEnumerable<string> lines)
    {
        foreach (string line in lines)
        {
            output.WriteLine(line);
        }
    }

    /// <summary>Stage, text, share done and time left, as far as they are known.</summary>
    public static string Line(ProgressUpdate update)
    {
        string done = update.Fraction is double fraction ? string.Create(CultureInfo.InvariantCulture, $" {fraction:P0}") : "";
        string left = update.Left is TimeSpan time ? string.Create(CultureInfo.InvariantCulture, $", {time.TotalSeconds:F0} s left") : "";
        return $"{update.Stage}: {$"{update.Text}{done}{left}".TrimStart()}";
    }
}
