namespace MixedPrecision.Benchmarking;

/// <summary>
/// Tells comparisons in which something else ran beside what was timed, all the time: then the original takes longer than in others, and since two threads that are held up on one core
/// make a slow candidate of each, the gain is none of theirs, however narrow its interval. What the original takes at its fastest is the measure, since it is timed in every comparison.
/// </summary>
internal static class Disturbance
{
    /// <summary>Where the original takes so many times as long as in the quietest comparison, that one does not count.</summary>
    private const double Factor = 1.1;

    /// <summary>So often a comparison is repeated: a machine that is never quiet gives what it can.</summary>
    public const int MostRepetitions = 3;

    /// <param name="originalMilliseconds">What the original took.</param>
    /// <param name="fastestMilliseconds">What it took in the quietest comparison.</param>
    public static bool Is(double originalMilliseconds, double fastestMilliseconds) => originalMilliseconds > Factor * fastestMilliseconds;

    /// <summary>Makes every comparison, and those that were disturbed again.</summary>
    /// <param name="comparisons">Each with the same original.</param>
    /// <param name="originals">Milliseconds that the original took in the best attempt at a comparison, for each of its candidates; empty where none runs.</param>
    /// <param name="known">The same of comparisons that were made before.</param>
    /// <param name="compare">Makes one, with the number of the attempt, from 0 on; keeps it if the original took less than before.</param>
    public static void Repeat<T>(IReadOnlyList<T> comparisons, Func<T, IEnumerable<double>> originals, IReadOnlyCollection<double> known, Action<T, int> compare)
    {
        foreach (T comparison in comparisons)
        {
            compare(comparison, 0);
        }

        for (int attempt = 1; attempt <= MostRepetitions; attempt++)
        {
            double fastest = comparisons.SelectMany(originals).Concat(known).DefaultIfEmpty().Min();
            foreach (T comparison in comparisons.Where(c => originals(c).Any(o => Is(o, fastest))))
            {
                compare(comparison, attempt);
            }
        }
    }
}
