using MixedPrecision.Benchmarking;

namespace MixedPrecision.Tests.Benchmarking;

public class TimingPlanTests
{
    [Theory]
    [InlineData(1, "7 28")]
    [InlineData(13, "13 52")]
    [InlineData(14, "7 14 56")]
    [InlineData(32, "8 16 32 128")]
    public void LooksAreAsManyAsHaveRoundsForAnInterval(int rounds, string looks) => Assert.Equal(looks, string.Join(' ', TimingPlan.LooksWithin(rounds, 0.95)));

    [Theory]
    [InlineData(0.5, 0.05)]
    [InlineData(3, 0.3)]
    [InlineData(8, 4)]
    [InlineData(25, 13)]
    public void TheBudgetIsKeptWhereTheFewestRoundsFit(double open, double run)
    {
        Contender[] contenders = [.. Enumerable.Repeat(new Contender(() => throw new InvalidOperationException(), open, run), 2)];
        TimingPlan plan = TimingPlan.Of(contenders, new TimingSettings(TimeSpan.FromSeconds(0.3)));
        double round = 2 * (open + (plan.WarmUps * run) + (2 * plan.Blocks * plan.Runs * run));
        Assert.InRange(plan.Looks[^2] * round, 0, Math.Max(300, 7 * round) + 1e-9);
        // Where time is short, no more is done in a round than opening, warming up and running once in each order.
        Assert.True(7 * round <= 300 || (plan.WarmUps, plan.Blocks) == (1, 1), $"{plan}");
    }
}
