namespace MixedPrecision.Benchmarking;

/// <summary>
/// Confidence interval of a median from order statistics: the numbers of observations below the true median are binomial with
/// probability ½ whatever the distribution, so the r-th smallest and the r-th largest of n independent observations enclose it with probability
/// 1 − 2·P(Bin(n, ½) &lt; r). Nothing is assumed of the noise, which in timings is skewed, heavy-tailed and often of two modes, and nothing is drawn at random.
/// Source: W. J. Conover, Practical Nonparametric Statistics, third edition, section 3.2.
/// </summary>
internal static class MedianInterval
{
    /// <returns>
    /// The median, the narrowest such interval that covers it with the probability asked for, and the probability that it has; when there are too few
    /// observations for it, the widest interval there is, whose probability is then smaller.
    /// </returns>
    public static (double Median, double Low, double High, double Confidence) Of(ReadOnlySpan<double> observations, double confidence)
    {
        double[] sorted = observations.ToArray();
        Array.Sort(sorted);
        int n = sorted.Length;
        (int rank, double reached) = Rank(n, confidence);
        double median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
        return (median, sorted[rank - 1], sorted[n - rank], reached);
    }

    /// <summary>The fewest observations that allow an interval of this confidence: 6 for 95 %.</summary>
    public static int FewestObservations(double confidence) => (int)Math.Ceiling(1 - Math.Log2(1 - confidence));

    /// <summary>The probability with which the interval of so many observations covers the median when it is asked for a confidence.</summary>
    public static double Reached(int observations, double confidence) => Rank(observations, confidence).Confidence;

    /// <summary>The greatest rank r ≥ 1 for which 1 − 2·P(Bin(n, ½) &lt; r) is at least the confidence, and that probability.</summary>
    private static (int Rank, double Confidence) Rank(int n, double confidence)
    {
        // The first term, 2⁻ⁿ, is 0 in double precision from n = 1075 on; its logarithm is not, and later terms are large again.
        double logTerm = -n * Math.Log(2);
        double tail = Math.Exp(logTerm);
        int rank = 1;
        double reached = 1 - (2 * tail);
        while (rank < (n + 1) / 2)
        {
            logTerm += Math.Log((double)(n - rank + 1) / rank);
            double next = tail + Math.Exp(logTerm);
            if (1 - (2 * next) < confidence)
            {
                break;
            }

            tail = next;
            reached = 1 - (2 * tail);
            rank++;
        }

        return (rank, reached);
    }
}
