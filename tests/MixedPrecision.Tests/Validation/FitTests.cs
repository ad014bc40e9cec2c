using MixedPrecision.Validation;

namespace MixedPrecision.Tests.Validation;

public class FitTests
{
    private static readonly double[] X = [1, 2, 4];

    /// <summary>y = 3 + 2x: the line, and by hand the slope of the line through the origin, Σxy / Σx² = 63 / 21.</summary>
    [Fact]
    public void ALineIsFound()
    {
        double[] y = [5, 7, 11];
        Assert.Equal(2, Fit.Slope(X, y)!.Value, 1e-12);
        Assert.Equal(63.0 / 21, Fit.SlopeThroughOrigin(X, y)!.Value, 1e-12);
        Assert.Equal(1, Fit.Correlation(X, y)!.Value, 1e-12);
        Assert.Equal(-1, Fit.Correlation(X, [0, -1, -3])!.Value, 1e-12);
        Assert.Equal(0, Fit.Correlation([-1, 0, 1], [1, 0, 1])!.Value, 1e-12);
    }

    [Fact]
    public void TheMeanErrorIsThatOfSums()
    {
        // |1 − 2| + |2 − 0| + |4 − 8| over 2 + 0 + 8.
        Assert.Equal(0.7, Fit.MeanError(X, [2, 0, 8])!.Value, 1e-12);
        Assert.Equal(0, Fit.MeanError(X, X));
    }

    [Theory]
    [InlineData(0.79, false)]
    [InlineData(0.8, true)]
    [InlineData(1.25, true)]
    [InlineData(1.26, false)]
    public void WithinIsFromFourFifthsToFiveFourths(double ratio, bool isWithin) => Assert.Equal(isWithin, Fit.IsWithin(ratio * 16, 16));

    [Fact]
    public void TooFewPointsSayNothing()
    {
        Assert.Null(Fit.Slope([1], [2]));
        Assert.Null(Fit.Slope([2, 2], [1, 3]));
        Assert.Null(Fit.Correlation([1, 2], [3, 3]));
        Assert.Null(Fit.SlopeThroughOrigin([], []));
        Assert.Null(Fit.MeanError([1], [0]));
        Assert.Null(Fit.Median([]));
    }

    [Fact]
    public void QuartilesAreNearestRanks()
    {
        Assert.Equal([7, 15, 23, 31], new[] { 0.25, 0.5, 0.75, 1 }.Select(share => Fit.RankOf(share, 32)));
        Assert.Equal([0, 0, 0], new[] { 0.25, 0.5, 0.75 }.Select(share => Fit.RankOf(share, 1)));
        Assert.Equal(2.5, Fit.Median([4, 1, 2, 3]));
    }
}
