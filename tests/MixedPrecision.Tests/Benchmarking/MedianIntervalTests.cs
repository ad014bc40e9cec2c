using MixedPrecision.Benchmarking;

namespace MixedPrecision.Tests.Benchmarking;

public class MedianIntervalTests
{
    /// <summary>Ranks and confidences as tables of nonparametric intervals for the median have them.</summary>
    [Theory]
    [InlineData(5, 1, 0.9375)]
    [InlineData(6, 1, 0.96875)]
    [InlineData(9, 2, 0.9609375)]
    [InlineData(10, 2, 0.978515625)]
    [InlineData(20, 6, 0.958610534667969)]
    [InlineData(50, 18, 0.967160862435731)]
    public void RanksFollowTheBinomial(int count, int rank, double confidence)
    {
        double[] values = [.. Enumerable.Range(1, count).Select(i => (double)i).Reverse()];
        (double median, double low, double high, double reached) = MedianInterval.Of(values, 0.95);
        Assert.Equal((count + 1) / 2.0, median);
        Assert.Equal(rank, low);
        Assert.Equal(count + 1 - rank, high);
        Assert.Equal(confidence, reached, 8);
    }

    [Fact]
    public void ManyObservationsGiveANarrowInterval()
    {
        double[] values = [.. Enumerable.Range(0, 5000).Select(i => i / 5000.0)];
        (_, double low, double high, double reached) = MedianInterval.Of(values, 0.95);
        // Normal approximation: ranks n/2 ± 1.96·√n/2.
        Assert.Equal(0.5 - (0.98 / Math.Sqrt(5000)), low, 3);
        Assert.Equal(0.5 + (0.98 / Math.Sqrt(5000)), high, 3);
        Assert.InRange(reached, 0.95, 0.953);
    }

    [Theory]
    [InlineData(0.9, 5)]
    [InlineData(0.95, 6)]
    [InlineData(0.99, 8)]
    public void FewestObservationsAreThoseThatReachTheConfidence(double confidence, int count)
    {
        Assert.Equal(count, MedianInterval.FewestObservations(confidence));
        Assert.True(MedianInterval.Of(new double[count], confidence).Confidence >= confidence);
        Assert.True(MedianInterval.Of(new double[count - 1], confidence).Confidence < confidence);
    }
}
