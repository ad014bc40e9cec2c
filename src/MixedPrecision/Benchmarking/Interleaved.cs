using System.Diagnostics;
using System.Globalization;

namespace MixedPrecision.Benchmarking;

/// <summary>
/// Measures a candidate against its baseline in blocks A B B A: the difference (A₁ + A₂ − B₁ − B₂) / 2 of a block is one observation of the gain, from which a
/// drift of the machine that is linear over the block cancels exactly. The gain is the median of the blocks, with <see cref="MedianInterval"/>. Blocks are added until
/// the interval is narrow enough or the time is over. Looking at the interval again and again would favour lucky ones; it is looked at only when the
/// number of blocks has grown by half.
/// </summary>
public static class Interleaved
{
    /// <summary>Runs before the first block, of each side: the first runs allocate memory and fill caches.</summary>
    private const int WarmUpRuns = 3;

    /// <summary>A measurement shorter than this is made of several runs, so that reading the clock does not count.</summary>
    private const double ShortestMeasurementMilliseconds = 0.1;

    /// <summary>How far the fewest blocks may pass the budget, when single runs are long.</summary>
    private const int LongestBudgets = 4;

    /// <summary>A gain whose interval holds zero is too small to matter when the interval is this much narrower than asked for.</summary>
    private const double TooSmallToMatter = 0.25;

    /// <summary>Measures with the machine's own clock.</summary>
    public static Timing Measure(Action baseline, Action candidate, TimingSettings settings, CancellationToken cancellation) =>
        Measure(baseline, candidate, Stopwatch.GetTimestamp, Stopwatch.Frequency, settings, cancellation);

    /// <param name="baseline">One run of A.</param>
    /// <param name="candidate">One run of B.</param>
    /// <param name="ticks">The clock.</param>
    /// <param name="ticksPerSecond">Its resolution.</param>
    /// <param name="settings">When to stop.</param>
    /// <param name="cancellation">Checked between blocks.</param>
    public static Timing Measure(Action baseline, Action candidate, Func<long> ticks, long ticksPerSecond, TimingSettings settings, CancellationToken cancellation)
    {
        double Run(Action action, int runs)
        {
            long start = ticks();
            for (int run = 0; run < runs; run++)
            {
                action();
            }

            return (ticks() - start) * 1000.0 / ticksPerSecond / runs;
        }

        double fastest = double.PositiveInfinity;
        for (int run = 0; run < WarmUpRuns; run++)
        {
            cancellation.ThrowIfCancellationRequested();
            fastest = Math.Min(fastest, Math.Min(Run(baseline, 1), Run(candidate, 1)));
        }

        int runs = (int)Math.Clamp(Math.Ceiling(ShortestMeasurementMilliseconds / Math.Max(fastest, 1e-6)), 1, 1000);
        int fewest = MedianInterval.FewestObservations(settings.Confidence);
        int look = fewest;
        var ofBaseline = new List<double>();
        var ofCandidate = new List<double>();
        var gains = new List<double>();
        long begin = ticks();
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            double a1 = Run(baseline, runs), b1 = Run(candidate, runs), b2 = Run(candidate, runs), a2 = Run(baseline, runs);
            ofBaseline.AddRange([a1, a2]);
            ofCandidate.AddRange([b1, b2]);
            gains.Add((a1 + a2 - b1 - b2) / 2);

            double seconds = (ticks() - begin) / (double)ticksPerSecond;
            bool over = seconds >= settings.Budget.TotalSeconds * (gains.Count < fewest ? LongestBudgets : 1);
            if (gains.Count < look && !over)
            {
                continue;
            }

            Timing timing = Summarize(ofBaseline, ofCandidate, gains, settings, fewest);
            if (over || IsClear(timing, settings))
            {
                return timing;
            }

            look = (gains.Count * 3 / 2) + 1;
        }
    }

    /// <summary>Whether the interval is narrow enough, and of one sign or narrow around zero.</summary>
    private static bool IsClear(Timing timing, TimingSettings settings)
    {
        double halfWidth = HalfWidth(timing);
        return halfWidth <= settings.Precision && (timing.IsSignificant || halfWidth <= settings.Precision * TooSmallToMatter);
    }

    /// <summary>Half the width of the interval, relative to the baseline.</summary>
    private static double HalfWidth(Timing timing) => (timing.High - timing.Low) / 2 / timing.BaselineMilliseconds;

    private static Timing Summarize(List<double> ofBaseline, List<double> ofCandidate, List<double> gains, TimingSettings settings, int fewest)
    {
        (double gain, double low, double high, double confidence) = MedianInterval.Of([.. gains], settings.Confidence);
        double baseline = MedianInterval.Of([.. ofBaseline], settings.Confidence).Median;
        double candidate = MedianInterval.Of([.. ofCandidate], settings.Confidence).Median;
        var timing = new Timing(baseline, candidate, gain, low, high, confidence, gains.Count * 2, []);
        return timing with { Warnings = Warn(timing, gains.Count, settings, fewest) };
    }

    private static IReadOnlyList<string> Warn(Timing timing, int blocks, TimingSettings settings, int fewest)
    {
        if (blocks < fewest)
        {
            return [string.Create(CultureInfo.InvariantCulture, $"only {blocks * 2} pairs fitted into the time: an interval of {settings.Confidence:0.##%} confidence needs {fewest * 2}")];
        }

        double halfWidth = HalfWidth(timing);
        return halfWidth <= settings.Precision
            ? []
            : [string.Create(CultureInfo.InvariantCulture, $"the gain is known to ±{halfWidth:0.0%} of the baseline, not to ±{settings.Precision:0.0%}, when the time was over")];
    }
}
