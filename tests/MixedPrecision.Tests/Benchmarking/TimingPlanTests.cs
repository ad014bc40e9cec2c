using MixedPrecision.Benchmarking;

namespace MixedPrecision.Tests.Benchmarking;

public class TimingPlanTests
{
    [Theory]
    [InlineData(0.9)]
    [InlineData(0.95)]
    [InlineData(0.99)]
    public void LooksShareTheProbabilityOfMissing(double confidence)
    {
        for (int rounds = MedianInterval.FewestObservations(confidence); rounds < 300; rounds++)
        {
            (int[] looks, double[] misses) = TimingPlan.Spend(rounds, confidence);
            Assert.Equal(rounds, looks[^1]);
            Assert.Equal(looks.Order().Distinct(), looks);
            double spent = looks.Zip(misses, (n, miss) => 1 - MedianInterval.Reached(n, 1 - miss)).Sum();
            Assert.InRange(spent, 0, 1 - confidence + 1e-12);
            Assert.All(looks.Zip(misses), l => Assert.True(MedianInterval.Reached(l.First, 1 - l.Second) >= 1 - l.Second - 1e-12));
        }
    }

    [Theory]
    [InlineData(6, 1)]
    [InlineData(13, 1)]
    [InlineData(14, 2)]
    [InlineData(28, 3)]
    [InlineData(500, 3)]
    public void ThereAreAsManyLooksAsRoundsAllow(int rounds, int looks) => Assert.Equal(looks, TimingPlan.Spend(rounds, 0.95).Looks.Length);

    [Theory]
    [InlineData(0.5, 0.05)]
    [InlineData(3, 0.3)]
    [InlineData(8, 4)]
    [InlineData(25, 13)]
    public void TheBudgetIsKeptWhereTheFewestRoundsFit(double open, double run)
    {
        Contender[] contenders = [.. Enumerable.Repeat(new Contender(() => throw new InvalidOperationException(), open, run), 2)];
        var settings = new TimingSettings(TimeSpan.FromSeconds(0.3));
        TimingPlan plan = TimingPlan.Of(contenders, settings);
        double cost = plan.Looks[^1] * 2 * (open + (plan.WarmUps * run) + (2 * plan.Blocks * plan.Runs * run));
        double fewest = 6 * 2 * (open + (3 * run));
        Assert.InRange(cost, 0, Math.Max(300, fewest) + 1e-9);
    }
}
