namespace MixedPrecision.Benchmarking;

/// <summary>
/// How a comparison is spread over rounds, decided before the first one from what opening and running cost. In a round all contenders are opened anew,
/// warmed up and run in blocks: once in an order and once in its reverse.
/// </summary>
/// <param name="WarmUps">Runs of each contender before the first block of a round: the first runs allocate memory and fill caches.</param>
/// <param name="Runs">Runs that one measurement is made of.</param>
/// <param name="Blocks">Blocks in a round, of two measurements of each contender.</param>
/// <param name="Looks">Numbers of rounds after which the intervals are looked at, ascending: measuring ends at one of them.</param>
/// <param name="Misses">For each look the probability with which an interval may miss the truth; their sum is what the whole may.</param>
internal sealed record TimingPlan(int WarmUps, int Runs, int Blocks, IReadOnlyList<int> Looks, IReadOnlyList<double> Misses)
{
    /// <summary>A measurement shorter than this is made of several runs, so that reading the clock does not count.</summary>
    private const double ShortestMeasurementMilliseconds = 0.1;
    private const int MostRuns = 1000;
    private const int MostWarmUps = 3;
    private const int MostBlocks = 32;

    /// <summary>Fewer than two blocks, in which an order and its reverse both lead, only where time is short.</summary>
    private const int UsualBlocks = 2;
    private const int MostLooks = 3;

    /// <summary>Half of a round goes into opening and warming up, half into measuring, as long as the budget has room for enough rounds.</summary>
    /// <param name="contenders">At least two.</param>
    /// <param name="settings">Its budget is that of one comparison: n contenders are n − 1 comparisons.</param>
    public static TimingPlan Of(IReadOnlyList<Contender> contenders, TimingSettings settings)
    {
        double pass = contenders.Sum(c => c.RunMilliseconds), open = contenders.Sum(c => c.OpenMilliseconds);
        int runs = (int)Math.Clamp(Math.Ceiling(ShortestMeasurementMilliseconds / Math.Max(contenders.Min(c => c.RunMilliseconds), 1e-6)), 1, MostRuns);
        double budget = settings.Budget.TotalMilliseconds * (contenders.Count - 1);
        int fewest = MedianInterval.FewestObservations(settings.Confidence);
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

        int rounds = (int)Math.Clamp(budget / Math.Max(Round(warmUps, blocks), 1e-3), fewest, 1000);
        (int[] looks, double[] misses) = Spend(rounds, settings.Confidence);
        return new TimingPlan(warmUps, runs, blocks, looks, misses);
    }

    /// <summary>
    /// Looks after a quarter, a half and all of the rounds, as many of them as have enough rounds for an interval. A look takes an equal part of the probability
    /// of missing that those before it have left: the sum of all stays within what is allowed, so that the interval covers whatever makes measuring end
    /// (Bonferroni's inequality).
    /// </summary>
    public static (int[] Looks, double[] Misses) Spend(int rounds, double confidence)
    {
        int count = MostLooks;
        while (count > 1 && rounds >> (count - 1) < MedianInterval.FewestObservations(1 - ((1 - confidence) / count)))
        {
            count--;
        }

        int[] looks = [.. Enumerable.Range(0, count).Select(look => rounds >> (count - 1 - look))];
        double[] misses = new double[count];
        double left = 1 - confidence;
        for (int look = 0; look < count; look++)
        {
            misses[look] = left / (count - look);
            left -= 1 - MedianInterval.Reached(looks[look], 1 - misses[look]);
        }

        return (looks, misses);
    }
}
