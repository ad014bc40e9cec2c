namespace MixedPrecision.Benchmarking;

/// <summary>
/// How a comparison is spread over rounds, decided before the first one from what opening and running cost. In a round all contenders are opened anew,
/// warmed up and run in blocks: once in an order and once in its reverse.
/// </summary>
/// <param name="WarmUps">Runs of each contender before the first block of a round: the first runs allocate memory and fill caches.</param>
/// <param name="Runs">Runs that one measurement is made of.</param>
/// <param name="Blocks">Blocks in a round, of two measurements of each contender.</param>
/// <param name="Looks">
/// Numbers of rounds after which the intervals are looked at, ascending: measuring ends at one of them. The last but one is what the budget has room for, the last is for a
/// machine so noisy that the interval says little there.
/// </param>
internal sealed record TimingPlan(int WarmUps, int Runs, int Blocks, IReadOnlyList<int> Looks)
{
    /// <summary>A measurement shorter than this is made of several runs, so that reading the clock does not count.</summary>
    private const double ShortestMeasurementMilliseconds = 0.1;
    private const int MostRuns = 1000;
    private const int MostWarmUps = 3;
    private const int MostBlocks = 32;
    private const int MostRounds = 1000;

    /// <summary>Fewer than two blocks, in which an order and its reverse both lead, only where time is short.</summary>
    private const int UsualBlocks = 2;
    private const int MostLooks = 4;

    /// <summary>The budget may be passed this many times when runs are long, or the machine so noisy that the interval says little.</summary>
    public const int LongestBudgets = 4;

    /// <summary>Half of a round goes into opening and warming up, half into measuring, as long as the budget has room for enough rounds.</summary>
    /// <param name="contenders">At least two.</param>
    /// <param name="settings">Its budget is that of one comparison: n contenders are n − 1 comparisons.</param>
    public static TimingPlan Of(IReadOnlyList<Contender> contenders, TimingSettings settings)
    {
        double pass = contenders.Sum(c => c.RunMilliseconds), open = contenders.Sum(c => c.OpenMilliseconds);
        int runs = (int)Math.Clamp(Math.Ceiling(ShortestMeasurementMilliseconds / Math.Max(contenders.Min(c => c.RunMilliseconds), 1e-6)), 1, MostRuns);
        double budget = settings.Budget.TotalMilliseconds * (contenders.Count - 1);
        int fewest = Fewest(2, settings.Confidence);
        double Round(int warmUps, int blocks) => open + (warmUps * pass) + (2 * blocks * runs * pass);
        int warmUps = MostWarmUps;
        int blocks = (int)Math.Clamp(Math.Round(Round(warmUps, 0) / Math.Max(Round(0, 1) - open, 1e-6)), UsualBlocks, MostBlocks);
        while (blocks > UsualBlocks && fewest * Round(warmUps, blocks) > budget)
        {
            blocks--;
        }

        if (fewest * Round(warmUps, blocks) > budget)
        {
            (warmUps, blocks) = (1, 1);
        }

        double rounds = Math.Min(budget / Math.Max(Round(warmUps, blocks), 1e-3), MostRounds);
        return new TimingPlan(warmUps, runs, blocks, LooksWithin((int)rounds, settings.Confidence));
    }

    /// <summary>Looks after a quarter, a half and all of the rounds, and after four times as many; of the first two those that have enough rounds for an interval.</summary>
    public static int[] LooksWithin(int rounds, double confidence)
    {
        int count = MostLooks;
        while (count > 2 && rounds >> (count - 2) < Fewest(count, confidence))
        {
            count--;
        }

        rounds = Math.Max(rounds, Fewest(count, confidence));
        return [.. Enumerable.Range(0, count - 1).Select(look => rounds >> (count - 2 - look)), rounds * LongestBudgets];
    }

    /// <summary>The fewest rounds that make an interval which takes one of so many equal parts of the probability of missing.</summary>
    private static int Fewest(int looks, double confidence) => MedianInterval.FewestObservations(1 - ((1 - confidence) / looks));
}
