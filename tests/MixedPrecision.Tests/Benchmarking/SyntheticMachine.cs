using MixedPrecision.Benchmarking;

namespace MixedPrecision.Tests.Benchmarking;

/// <summary>A machine whose runs take what a function of the time says: its clock is advanced by openings and runs alone.</summary>
/// <param name="runs">Of each contender, milliseconds of a run that starts at a time in milliseconds.</param>
internal sealed class SyntheticMachine(params Func<double, double>[] runs)
{
    private const double TicksPerMillisecond = 1e6;

    /// <summary>Milliseconds that opening a session takes.</summary>
    public double Opening { get; init; } = 1;

    /// <summary>By how much the runs of a session are longer, drawn when it is opened, as a fraction.</summary>
    public Func<double> SessionOffset { get; init; } = () => 0;

    public double Milliseconds { get; private set; }

    public int Runs { get; private set; }

    /// <summary>Contenders in the order in which their sessions were opened, those of the probes included.</summary>
    public List<int> Opened { get; } = [];

    public int Alive { get; private set; }

    /// <summary>The second contender against the first.</summary>
    public Timing Measure(TimingSettings settings, CancellationToken cancellation = default) => Compare(settings, cancellation).Of(1);

    public Comparison Compare(TimingSettings settings, CancellationToken cancellation = default)
    {
        var clock = new Clock(() => (long)(Milliseconds * TicksPerMillisecond), (long)(TicksPerMillisecond * 1000));
        return Interleaved.Measure([.. runs.Select((_, i) => Contender.Probe(() => Open(i), clock))], settings, cancellation, clock);
    }

    private OpenedRun Open(int contender)
    {
        Milliseconds += Opening;
        Opened.Add(contender);
        Alive++;
        double factor = 1 + SessionOffset();
        return new OpenedRun(
            () =>
            {
                Milliseconds += runs[contender](Milliseconds) * factor;
                Runs++;
            },
            () => Alive--);
    }
}
