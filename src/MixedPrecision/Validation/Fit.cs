namespace MixedPrecision.Validation;

/// <summary>How near predictions (x) lie to measurements (y). Null where there are too few pairs to say, or all are equal.</summary>
internal static class Fit
{
    /// <summary>Ratios of prediction to measurement that count as right.</summary>
    public const double LeastRatio = 0.8;

    /// <summary>The other end.</summary>
    public const double GreatestRatio = 1.25;

    /// <summary>Whether a prediction is near to what was measured.</summary>
    public static bool IsWithin(double predicted, double measured) => predicted >= LeastRatio * measured && predicted <= GreatestRatio * measured;

    /// <summary>The slope of the line of least squares.</summary>
    public static double? Slope(IReadOnlyList<double> x, IReadOnlyList<double> y) => Over(Covariance(x, y), Covariance(x, x));

    /// <summary>The slope of the line of least squares through the origin.</summary>
    public static double? SlopeThroughOrigin(IReadOnlyList<double> x, IReadOnlyList<double> y) => Over(x.Zip(y, (a, b) => a * b).Sum(), x.Sum(a => a * a));

    /// <summary>Pearson's coefficient of correlation.</summary>
    public static double? Correlation(IReadOnlyList<double> x, IReadOnlyList<double> y) => Over(Covariance(x, y), Math.Sqrt(Covariance(x, x) * Covariance(y, y)));

    /// <summary>The mean error over the mean measurement: Σ|x − y| / Σ|y|. Measurements near zero do not blow it up, as they do a mean of quotients.</summary>
    public static double? MeanError(IReadOnlyList<double> x, IReadOnlyList<double> y) => Over(x.Zip(y, (a, b) => Math.Abs(a - b)).Sum(), y.Sum(Math.Abs));

    /// <summary>Index, among values in ascending order, of the one that a share of them do not exceed: the nearest rank.</summary>
    /// <param name="share">Above 0, at most 1.</param>
    public static int RankOf(double share, int count) => Math.Max(0, (int)Math.Ceiling(share * count) - 1);

    /// <summary>The middle value; of an even number the mean of the two.</summary>
    public static double? Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? null : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static double Covariance(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        if (x.Count < 2)
        {
            return 0;
        }

        double meanX = x.Average(), meanY = y.Average();
        return x.Zip(y, (a, b) => (a - meanX) * (b - meanY)).Sum();
    }

    private static double? Over(double numerator, double denominator) => denominator > 0 && double.IsFinite(numerator / denominator) ? numerator / denominator : null;
}
