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
}
