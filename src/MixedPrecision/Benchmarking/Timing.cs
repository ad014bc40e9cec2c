namespace MixedPrecision.Benchmarking;

/// <summary>
/// A measured comparison of a candidate with the original, or with another candidate in the original's place. That the interval holds zero is an answer too: no difference was found
/// (<see cref="IsSignificant"/>).
/// </summary>
/// <param name="OriginalMilliseconds">Undisturbed time of one run of the original: the median over all its sessions of the lower quartile of a session's runs.</param>
/// <param name="CandidateMilliseconds">The same of the candidate.</param>
/// <param name="Gain">
/// Milliseconds a run saves, negative when the candidate is slower: the median of original − candidate over the pairs, which need not be the difference of the two medians.
/// </param>
/// <param name="Low">Lower end of the confidence interval of the gain, in milliseconds.</param>
/// <param name="High">Upper end of the confidence interval of the gain, in milliseconds.</param>
/// <param name="Confidence">Probability that the interval covers the gain, as reached: at least the one asked for, unless a warning says otherwise.</param>
/// <param name="Pairs">Pairs of sessions, of the original and the candidate, that were opened anew and compared.</param>
/// <param name="Warnings">Why the result is weaker than asked for; empty when it is not.</param>
public sealed record Timing(
    double OriginalMilliseconds,
    double CandidateMilliseconds,
    double Gain,
    double Low,
    double High,
    double Confidence,
    int Pairs,
    IReadOnlyList<string> Warnings)
{
    /// <summary>Whether the interval excludes zero.</summary>
    public bool IsSignificant => Low > 0 || High < 0;

    /// <summary>How many times faster the candidate is: original over original less the gain.</summary>
    public double Speedup => SpeedupAt(Gain);

    /// <summary>The speed-up at the lower end of the interval.</summary>
    public double SpeedupLow => SpeedupAt(Low);

    /// <summary>The speed-up at the upper end of the interval.</summary>
    public double SpeedupHigh => SpeedupAt(High);

    /// <summary>A comparison of a thing with itself, which needs no measurement.</summary>
    public static Timing Unchanged(double milliseconds) => new(milliseconds, milliseconds, 0, 0, 0, 1, 0, []);

    /// <summary>Never by less than a hundredth of the original's time, which a noisy interval may reach.</summary>
    private double SpeedupAt(double gain) => OriginalMilliseconds / Math.Max(OriginalMilliseconds - gain, OriginalMilliseconds / 100);
}
