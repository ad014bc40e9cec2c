using MixedPrecision.Benchmarking;

namespace MixedPrecision.Tests.Benchmarking;

/// <summary>A machine whose runs take what a function of the time says: its clock is advanced by the runs alone.</summary>
/// <param name="baseline">Milliseconds of a run of the baseline that starts at a time in milliseconds.</param>
/// <param name="candidate">The same of the candidate.</param>
internal sealed class SyntheticMachine(Func<double, double> baseline, Func<double, double> candidate)
{
    private const double TicksPerMillisecond = 1e6;

    public double Milliseconds { get; private set; }

    public int Runs { get; private set; }

    public Timing Measure(TimingSettings settings, CancellationToken cancellation = default) => Interleaved.Measure(
        () => Run(baseline),
        () => Run(candidate),
        () => (long)(Milliseconds * TicksPerMillisecond),
        (long)(TicksPerMillisecond * 1000),
        settings,
        cancellation);

    private void Run(Func<double, double> duration)
    {
        Milliseconds += duration(Milliseconds);
        Runs++;
    }
}
