using System.Diagnostics;
using System.Globalization;

namespace MixedPrecision.Benchmarking;

/// <summary>
/// Measures a candidate against its baseline in blocks A B B A and B A A B in turn, so that a drift of the machine meets both alike.
/// What disturbs a run (another process, an interrupt) only ever makes it longer, so a run's undisturbed time is taken to be the lower quartile, which stands
/// as long as a quarter of the runs is undisturbed. The gain is the difference of the two quartiles. Its interval is that of the median of the same difference
/// over groups of consecutive blocks, see <see cref="MedianInterval"/>: groups long enough are independent although disturbances come in bursts (the method of
/// batch means). Blocks are added until the interval is narrow enough or the time is over. Looking at it again and again would favour lucky
/// ones; it is looked at only when the number of blocks has grown by half.
/// </summary>
public static class Interleaved
{
    /// <summary>Runs before the first block, of each side: the first runs allocate memory and fill caches.</summary>
    private const int WarmUpRuns = 3;

    /// <summary>A measurement shorter than this is made of several runs, so that reading the clock does not count.</summary>
    private const double ShortestMeasurementMilliseconds = 0.1;

    /// <summary>The budget may be passed this many times when runs are long, or the machine so noisy that the interval says little.</summary>
    private const int LongestBudgets = 4;

    /// <summary>An interval this many times wider than asked for says little.</summary>
    private const int SaysLittle = 5;

    /// <summary>Groups that blocks are joined into, once there are as many; fewer than twice as many.</summary>
    private const int FewestGroups = 9;

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
        var blocks = new List<Block>();
        long begin = ticks();
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            blocks.Add(blocks.Count % 2 == 0
                ? Block.Of(() => Run(baseline, runs), () => Run(candidate, runs))
                : Block.Of(() => Run(candidate, runs), () => Run(baseline, runs)).Swap());
            double budgets = (ticks() - begin) / (double)ticksPerSecond / settings.Budget.TotalSeconds;
            if (blocks.Count < look && budgets < LongestBudgets)
            {
                continue;
            }

            Timing timing = Summarize(blocks, settings, fewest);
            bool isEnough = budgets >= 1 && HalfWidth(timing) <= settings.Precision * SaysLittle;
            if (IsClear(timing, settings) || isEnough || budgets >= LongestBudgets)
            {
                return timing;
            }

            look = (blocks.Count * 3 / 2) + 1;
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

    private static Timing Summarize(List<Block> blocks, TimingSettings settings, int fewest)
    {
        int size = Math.Max(1, blocks.Count / FewestGroups);
        double[] gains =
        [
            .. blocks.Chunk(size).Where(group => group.Length == size)
                .Select(group => LowerQuartile(group, b => b.Baseline) - LowerQuartile(group, b => b.Candidate)),
        ];
        (_, double low, double high, double confidence) = MedianInterval.Of(gains, settings.Confidence);
        double baseline = LowerQuartile(blocks, b => b.Baseline), candidate = LowerQuartile(blocks, b => b.Candidate), gain = baseline - candidate;
        var timing = new Timing(baseline, candidate, gain, Math.Min(low, gain), Math.Max(high, gain), confidence, blocks.Count * 2, []);
        return timing with { Warnings = Warn(timing, blocks.Count, settings, fewest) };
    }

    /// <summary>The lower quartile of one side of some blocks, interpolated between neighbours.</summary>
    private static double LowerQuartile(IEnumerable<Block> blocks, Func<Block, (double, double)> side)
    {
        double[] sorted = [.. blocks.Select(side).SelectMany(pair => new[] { pair.Item1, pair.Item2 }).Order()];
        double place = (sorted.Length - 1) / 4.0;
        int below = (int)place;
        return sorted[below] + ((place - below) * (sorted[Math.Min(below + 1, sorted.Length - 1)] - sorted[below]));
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

    /// <summary>Two measurements of each side, in milliseconds a run.</summary>
    private readonly record struct Block((double First, double Second) Baseline, (double First, double Second) Candidate)
    {
        /// <summary>Measures outer, inner, inner, outer.</summary>
        public static Block Of(Func<double> outer, Func<double> inner)
        {
            double first = outer(), second = inner(), third = inner(), fourth = outer();
            return new Block((first, fourth), (second, third));
        }

        public Block Swap() => new(Candidate, Baseline);
    }
}
