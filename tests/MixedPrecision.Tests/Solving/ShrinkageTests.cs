using CsCheck;
using MixedPrecision.Solving;

namespace MixedPrecision.Tests.Solving;

public sealed class ShrinkageTests
{
    [Fact]
    public void ManyCorrelatedSamplesNeedHardlyAny() =>
        Assert.InRange(Shrinkage.Estimate(Rows(new Random(1), 12, 4000, common: 0.5)), 0, 0.01);

    [Fact]
    public void FewIndependentSamplesNeedAll() => Assert.InRange(Shrinkage.Estimate(Rows(new Random(2), 40, 16, common: 0)), 0.9, 1);

    [Fact]
    public void MoreSamplesNeedLess()
    {
        double[] weights = [.. new[] { 10, 100, 1000 }
            .Select(samples => Shrinkage.Estimate(Rows(new Random(3), 20, samples, common: 0.3)))];
        Assert.Equal(weights.OrderDescending(), weights);
        Assert.True(weights[0] > 2 * weights[2]);
    }

    [Fact]
    public void UnitsOfRowsAndRowsWithoutErrorDoNotMatter()
    {
        double[][] rows = Rows(new Random(4), 8, 50, common: 0.4);
        IEnumerable<double[]> scaled = rows.Select((row, index) => row.Select(value => value * Math.Pow(10, 30 * (index - 4))).ToArray());
        double[][] other = [[], .. scaled, new double[50]];
        Assert.Equal(Shrinkage.Estimate(rows), Shrinkage.Estimate(other), 1e-12);
    }

    [Fact]
    public void WithoutSamplesThereIsNoCorrelationToTrust()
    {
        Assert.Equal(1, Shrinkage.Estimate([[1], [2]]));
        Assert.Equal(0, Shrinkage.Estimate([[1, 2], []]));
        Assert.Throws<ArgumentException>(() => Shrinkage.Estimate([[1, 2], [1, 2, 3]]));
    }

    [Fact]
    public void WeightsLieBetweenZeroAndOne() => Gen.Double[-1e9, 1e9].Array[5].Array[1, 6].Sample(rows =>
        Assert.InRange(Shrinkage.Estimate(rows), 0, 1));

    private static double[][] Rows(Random random, int count, int samples, double common)
    {
        double[] shared = [.. Enumerable.Range(0, samples).Select(_ => random.NextDouble() * 2 - 1)];
        return [.. Enumerable.Range(0, count).Select(_ =>
            shared.Select(value => common * value + (1 - common) * (random.NextDouble() * 2 - 1)).ToArray())];
    }
}
