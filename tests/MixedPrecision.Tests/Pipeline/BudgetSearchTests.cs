using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Tests.Policies;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>The search for τ on made-up plans: plan i needs its own τ, gains i, and measures what a test says.</summary>
public class BudgetSearchTests
{
    /// <summary>Plans at 1e-5 · 1.5^i.</summary>
    private static readonly double[] Taus = [.. Enumerable.Range(0, 30).Select(i => i == 0 ? 0 : 1e-5 * Math.Pow(1.5, i))];

    [Theory]
    [InlineData(0.01)]
    [InlineData(1e-4)]
    [InlineData(0.9)]
    public void TheGreatestPlanWithinTheBudgetIsFoundFromAnyStart(double start)
    {
        for (int last = 1; last < Taus.Length; last++)
        {
            double allowed = Taus[last] * 0.5;
            ((BudgetTrial Trial, double Tau)? found, int measured) = Find(start, allowed, 20, i => Taus[i] * 0.5);
            Assert.Equal($"{last}", found!.Value.Trial.Plan);
            Assert.True(found.Value.Tau >= Taus[last] && found.Value.Trial.IsWithin);
            Assert.InRange(measured, 1, 16);
        }
    }

    [Fact]
    public void NothingOverTheBudgetIsReturnedHoweverNoisyTheMeasurements()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            var random = new Random(seed);
            double[] measured = [.. Taus.Select((tau, i) => i == 0 ? 0 : (tau * random.NextDouble() * 2) - (tau * 0.5))];
            double allowed = Math.Pow(10, -4 * random.NextDouble());
            ((BudgetTrial Trial, double Tau)? found, int count) = Find(0.01, allowed, 8, i => measured[i]);
            Assert.InRange(count, 1, 8);
            Assert.True(found is null || (found.Value.Trial.IsWithin && measured[(int)found.Value.Trial.Gain] <= allowed + 1e-9));
        }
    }

    [Fact]
    public void NoTrialIsSpentOnAPlanThatIsKnown()
    {
        var seen = new HashSet<string>();
        Find(0.01, 1e-3, 20, i => Taus[i], trial => Assert.True(seen.Add(trial.Plan)));
    }

    [Fact]
    public void AFreePlanEndsTheSearch() => Assert.InRange(Find(0.01, 1, 20, _ => 0).Measured, 1, 6);

    [Fact]
    public void WhereEvenTheLeastPlanIsOverThereIsNone() => Assert.Null(Find(0.01, 0, 20, _ => 0.1).Found);

    [Fact]
    public void WhatIsNoNumberIsOver() => Assert.Null(Find(0.01, 1, 20, _ => double.NaN).Found);

    /// <summary>A limit on the loss error is the greatest τ: no plan for a larger one is asked for.</summary>
    [Fact]
    public void NoPlanIsMadeForMoreThanTheGreatestTau()
    {
        var asked = new List<double>();
        var found = BudgetSearch.Find(0.5, 0.004, 8, tau =>
        {
            asked.Add(tau);
            return new BudgetTrial($"{Array.FindLastIndex(Taus, t => t <= tau)}", tau, tau);
        }, trial => trial with { IsWithin = trial.Tau < 0.002 });
        Assert.All(asked, tau => Assert.InRange(tau, 0, 0.004));
        Assert.InRange(found!.Value.Tau, 0.0012, 0.002);
    }

    [Fact]
    public void EachLimitIsMeasuredAsItSays()
    {
        var loss = new LossChange(200, 1e-4, 0.25, 0.02, 0.005, new AccuracyChange(0.9, 0.895)) { MeanLoss = 0.5, Agreement = 0.985 };
        Assert.Equal(0.02, Measured(BudgetKind.LossError));
        Assert.Equal(0.01, Measured(BudgetKind.LossIncrease), 12);
        Assert.Equal(0.005, Measured(BudgetKind.AccuracyDrop), 12);
        Assert.Equal(0.985, Measured(BudgetKind.Agreement));

        // One label of 200 is exactly the budget, whatever fractions make of it.
        Assert.True(Limits.IsWithin(new LossLimit(BudgetKind.AccuracyDrop, 0.005), 0.9 - 0.895));
        Assert.True(AreWithin("lossError: 2%, lossIncrease: 1%, accuracyDrop: 0.5%, agreement: 98.5%"));
        Assert.False(AreWithin("lossError: 1.9%, lossIncrease: 1%, accuracyDrop: 0.5%, agreement: 98.5%"));
        Assert.False(AreWithin("lossError: 2%, agreement: 98.6%"));
        Assert.False(AreWithin("lossIncrease: 0.9%, agreement: 98%"));
        Assert.False(Limits.AreWithin(BudgetOf("agreement: 90%"), loss with { RelativeLossError = double.PositiveInfinity }));
        Assert.False(Limits.AreWithin(BudgetOf("agreement: 90%"), loss with { Agreement = null }));
        Assert.Equal("lossError 2 %, agreement 98.5 %, which is over", Limits.Text(BudgetOf("lossError: 2%, agreement: 99%"), loss));

        double Measured(BudgetKind kind) => Limits.Measured(new LossLimit(kind, 0.01), loss);
        bool AreWithin(string budget) => Limits.AreWithin(BudgetOf(budget), loss);
        static BudgetPolicy BudgetOf(string text) => PolicyTests.Read("model: m.onnx").WithBudget(text, MixedPrecision.Diagnostics.Place.None).Budget;
    }

    private static ((BudgetTrial Trial, double Tau)? Found, int Measured) Find(
        double start, double allowed, int trials, Func<int, double> measure, Action<BudgetTrial>? tell = null)
    {
        int count = 0;
        var found = BudgetSearch.Find(
            start,
            double.PositiveInfinity,
            trials,
            tau => Array.FindLastIndex(Taus, t => t <= tau) is var i ? new BudgetTrial($"{i}", Taus[i], i) : null!,
            trial =>
            {
                count++;
                tell?.Invoke(trial);
                return trial with { IsWithin = measure((int)trial.Gain) <= allowed + 1e-9 };
            });
        return (found, count);
    }
}
