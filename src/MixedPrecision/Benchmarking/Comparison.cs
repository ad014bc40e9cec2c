using System.Globalization;

namespace MixedPrecision.Benchmarking;

/// <summary>
/// What was measured of several contenders in the same rounds. From it follows the timing of any of them against any other. Each interval has the
/// confidence asked for by itself; that several hold at once is less probable.
/// </summary>
/// <param name="Milliseconds">By round and contender, the undisturbed time of one run: the lower quartile of the round's measurements.</param>
/// <param name="LookConfidence">Confidence of the interval at the look that ended the measuring.</param>
/// <param name="Confidence">Confidence over all looks that there might have been.</param>
/// <param name="Precision">Half the width of an interval that is enough, as a fraction of the time of what is compared with.</param>
public sealed record Comparison(IReadOnlyList<IReadOnlyList<double>> Milliseconds, double LookConfidence, double Confidence, double Precision)
{
    /// <summary>One contender against another, by default against the first.</summary>
    /// <returns>
    /// A timing whose gain is the median over the rounds of the difference of the two; the interval is that of this median, see
    /// <see cref="MedianInterval"/>: a round, in which both sessions are opened anew, is one independent observation.
    /// </returns>
    public Timing Of(int candidate, int against = 0)
    {
        double[] gains = [.. Milliseconds.Select(round => round[against] - round[candidate])];
        (double gain, double low, double high, _) = MedianInterval.Of(gains, LookConfidence);
        var timing = new Timing(Median(against), Median(candidate), gain, low, high, Confidence, gains.Length, []);
        double halfWidth = HalfWidthOf(timing);
        return halfWidth <= Precision ? timing : timing with
        {
            Warnings = [string.Create(CultureInfo.InvariantCulture, $"the gain is known to ±{halfWidth:0.0%} of the original's time, not to ±{Precision:0.0%}, when the time was over")],
        };
    }

    /// <summary>Half the width of the widest interval against the first, relative to the time of that.</summary>
    internal double HalfWidth => Enumerable.Range(1, Milliseconds[0].Count - 1).Max(candidate => HalfWidthOf(Of(candidate)));

    private double Median(int contender) => MedianInterval.Of([.. Milliseconds.Select(round => round[contender])], LookConfidence).Median;

    /// <summary>Half the width of the interval, relative to the time of what is compared with.</summary>
    private static double HalfWidthOf(Timing timing) => (timing.High - timing.Low) / 2 / timing.OriginalMilliseconds;
}
