using MixedPrecision.Benchmarking;
using MixedPrecision.Reporting;
using MixedPrecision.Verification;

namespace MixedPrecision.Benchmarks;

/// <summary>One way to run a model, as a row of a table.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Budget">The budget that it was made for, or null.</param>
internal sealed record ConvolutionRow(string Name, double? Budget)
{
    public const string Head = "| model | what | loss error | time | speed-up | size | QLinear nodes | DequantizeLinear left | |\n|---|---|---|---|---|---|---|---|---|";

    private const string None = "–";

    /// <summary>The model's file, or null: there is none.</summary>
    public string? File { get; init; }

    /// <summary>What there is to say: what shipped, or why nothing runs.</summary>
    public string Note { get; init; } = "";

    /// <summary>Against the original, on samples that calibration did not see; null: it does not run.</summary>
    public LossChange? Loss { get; init; }

    /// <summary>The run in which it was timed, and its place there; null where it was not.</summary>
    public (Comparison Run, int Place)? Time { get; init; }

    /// <summary>Nodes of kernels for integers with known ranges, and of DequantizeLinear, in the graph as the runtime optimized it.</summary>
    public (int Integer, int Left) Nodes { get; init; }

    /// <summary>Whether it runs, and its loss is as near to the original's as a budget wants it.</summary>
    public bool IsWithin(double budget) => Loss is not null && Loss.RelativeLossError <= budget;

    /// <summary>How many times faster it is than another that was timed in the same run, with the interval's upper end; null where that is the same file, or another run.</summary>
    public (double Centre, double High)? SpeedupOver(ConvolutionRow other) => Time is var (run, place) && other.Time is var (others, theirs) && run == others && place != theirs
        && run.Of(place, theirs) is var timing ? (timing.Speedup, timing.SpeedupHigh) : null;

    public string Text(string model)
    {
        if (Loss is null || Time is not var (times, place) || File is null)
        {
            return Line(model, Name, None, None, None, None, None, None, Note);
        }

        Timing timing = times.Of(place);
        string accuracy = Loss.Accuracy is { } hits ? $", accuracy {ReportText.Percent(hits.Mixed)}" : "";
        return Line(
            model,
            Name,
            ReportText.Percent(Loss.RelativeLossError) + accuracy,
            ReportText.Milliseconds(timing.CandidateMilliseconds),
            place == 0 ? ReportText.Factor(1) : $"{ReportText.Factor(timing.Speedup)} [{ReportText.Factor(timing.SpeedupLow)}, {ReportText.Factor(timing.SpeedupHigh)}]",
            ReportText.Bytes(new FileInfo(File).Length),
            $"{Nodes.Integer}",
            $"{Nodes.Left}",
            string.Join("; ", timing.Warnings.Prepend(Note).Where(n => n.Length > 0)));
    }

    private static string Line(params string[] cells) => $"| {string.Join(" | ", cells.Select(ShownRow.Cell))} |";
}
