using System.Diagnostics;

namespace MixedPrecision.Benchmarking;

/// <summary>A session that is open, ready to be timed.</summary>
/// <param name="Run">Runs once.</param>
/// <param name="Close">Frees it.</param>
public sealed record OpenedRun(Action Run, Action Close);

/// <summary>The clock that runs are measured with.</summary>
/// <param name="Ticks">Now.</param>
/// <param name="TicksPerSecond">Its resolution.</param>
public sealed record Clock(Func<long> Ticks, long TicksPerSecond)
{
    /// <summary>The machine's own.</summary>
    public static readonly Clock Machine = new(Stopwatch.GetTimestamp, Stopwatch.Frequency);

    /// <summary>Milliseconds that an action takes.</summary>
    internal double Time(Action action)
    {
        long start = Ticks();
        action();
        return (Ticks() - start) * 1000.0 / TicksPerSecond;
    }
}

/// <summary>What is timed against others, and roughly what that costs.</summary>
/// <param name="Open">Opens a session anew.</param>
/// <param name="OpenMilliseconds">Time of opening.</param>
/// <param name="RunMilliseconds">Time of a run.</param>
public sealed record Contender(Func<OpenedRun> Open, double OpenMilliseconds, double RunMilliseconds)
{
    /// <summary>Opens it once and runs it a few times, to learn what it costs and that it works. What opening or running throws is passed on.</summary>
    public static Contender Probe(Func<OpenedRun> open, Clock? clock = null)
    {
        clock ??= Clock.Machine;
        OpenedRun? opened = null;
        double opening = clock.Time(() => opened = open()), fastest = double.PositiveInfinity;
        try
        {
            // The first run allocates memory. Where it takes long, that does not count.
            for (double spent = 0; spent < ProbeMilliseconds && fastest > 0;)
            {
                double run = clock.Time(opened!.Run);
                fastest = Math.Min(fastest, run);
                spent += Math.Max(run, ProbeMilliseconds / MostProbeRuns);
            }
        }
        finally
        {
            opened!.Close();
        }

        return new Contender(open, opening, fastest);
    }

    private const double ProbeMilliseconds = 20;
    private const int MostProbeRuns = 5;
}
