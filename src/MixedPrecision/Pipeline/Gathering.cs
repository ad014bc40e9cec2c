using System.Globalization;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>Counts what many small steps did, of which one line is to tell.</summary>
/// <param name="stage">Whose line it is.</param>
internal sealed class Gathering(string stage)
{
    private int solved;
    private int reused;
    private int timed;

    public string Stage => stage;

    /// <summary>Whether anything was done that was not known.</summary>
    public bool HasWorked { get; set; }

    /// <summary>Notes a stage that was run, or whose artifact was known.</summary>
    public void Count(string done, bool isReused)
    {
        bool isProgram = done == Stages.Solve.Name;
        solved += isProgram && !isReused ? 1 : 0;
        reused += isProgram && isReused ? 1 : 0;
    }

    /// <summary>Notes timings that were taken.</summary>
    public void CountTimings(int taken)
    {
        timed += taken;
        HasWorked |= taken > 0;
    }

    /// <summary>What was done, for people; "reused" where nothing was.</summary>
    /// <param name="made">What came of it, in place of how; null: programs and timings are told.</param>
    public string Text(TimeSpan elapsed, string? made)
    {
        string[] counts =
        [
            .. solved > 0 ? new[] { $"{ReportText.Count(solved, "program")} solved" } : [],
            .. solved > 0 && reused > 0 ? new[] { $"{ReportText.Count(reused)} reused" } : [],
            .. timed > 0 ? new[] { $"{ReportText.Count(timed, "timing")} taken" } : [],
        ];
        string how = HasWorked ? string.Create(CultureInfo.InvariantCulture, $"done in {elapsed.TotalSeconds:0.0} s") : "reused";
        return string.Join(", ", made is null ? [how, .. counts] : [how, made]);
    }
}
