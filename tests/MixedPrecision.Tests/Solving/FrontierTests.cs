using CsCheck;
using MixedPrecision.Solving;

namespace MixedPrecision.Tests.Solving;

public sealed class FrontierTests
{
    private const double Step = 1e-3;

    [Fact]
    public void TheFrontierIsThatOfEnumeration() => RandomProblems.Diagonal.Sample(AssertFrontier, iter: 40, threads: 2);

    [Fact]
    public void TheFrontierOfConnectedProblemsIsThatOfEnumeration() => RandomProblems.Connected.Sample(AssertFrontier, iter: 40, threads: 2);

    [Fact]
    public void AShortSearchKeepsBothEnds() => RandomProblems.Quadratic.Sample(
        problem =>
        {
            IReadOnlyList<Plan> all = Of(problem, 1000), few = Of(problem, 3);
            Assert.InRange(few.Count, 1, 4);
            Assert.Equal((all[0].Gain, all[^1].Gain), (few[0].Gain, few[^1].Gain));
        },
        iter: 20,
        threads: 2);

    /// <summary>Also where budgets are solved beside each other: what ends a run is told from what is wrong with it.</summary>
    [Fact]
    public void ACancellationComesOutAsOne() => RandomProblems.Quadratic.Sample(
        problem => Assert.ThrowsAny<OperationCanceledException>(() => new BudgetSeries(problem).Solve([problem.LossBudget, 2 * problem.LossBudget], new CancellationToken(canceled: true))),
        iter: 3,
        threads: 1);

    /// <summary>A plan that was made for a budget lies on the frontier, however far apart its points are.</summary>
    [Fact]
    public void ThePlansOfBudgetsThatWereAskedForAreOnIt() => RandomProblems.Quadratic.Sample(
        problem =>
        {
            Plan asked = Solver.Solve(problem);
            if (asked.Infeasibility is null)
            {
                IReadOnlyList<Plan> found = Frontier.With(Of(problem, 2, step: 1e9), [asked]);
                Assert.Equal(asked.Gain, found.Last(p => p.Loss <= problem.LossBudget).Gain, 1e-9 * Math.Max(1, Math.Abs(asked.Gain)));
            }
        },
        iter: 40,
        threads: 2);

    /// <summary>What other budgets told makes a search shorter, and finds no other gain.</summary>
    [Fact]
    public void ASeriesFindsWhatSingleProgramsFind() => RandomProblems.Quadratic.Sample(
        problem =>
        {
            double[] budgets = [.. new[] { 0.1, 3, 0.5, 1, 2 }.Select(f => f * problem.LossBudget)];
            var series = new BudgetSeries(problem);
            Plan[] together = [.. series.Solve(budgets[..2], default), .. series.Solve(budgets[2..], default)];
            Assert.All(budgets.Zip(together), p =>
            {
                Plan alone = Solver.Solve(problem with { LossBudget = p.First });
                Assert.Equal(alone.Infeasibility is null, p.Second.Infeasibility is null);
                if (alone.Infeasibility is null)
                {
                    Assert.Equal(alone.Gain, p.Second.Gain, 1e-9 * Math.Max(1, Math.Abs(alone.Gain)));
                }
            });
            Assert.Equal(together.Select(p => p.Gain), new BudgetSeries(problem) is var again ? again.Solve(budgets[..2], default).Concat(again.Solve(budgets[2..], default)).Select(p => p.Gain) : []);
        },
        iter: 40,
        threads: 2);

    private static IReadOnlyList<Plan> Of(SolverProblem problem, int most, double step = Step)
    {
        var series = new BudgetSeries(problem);
        return Frontier.Of(problem, step, most, b => series.Solve(b, default));
    }

    private static void AssertFrontier(SolverProblem problem)
    {
        IReadOnlyList<Plan> found = Of(problem, 1000);
        var plans = Enumeration.All(problem);
        foreach ((Plan lower, Plan upper) in found.Zip(found.Skip(1)))
        {
            Assert.True(upper.Gain > lower.Gain && upper.Loss >= lower.Loss);
        }

        // None gains more for its loss, up to what rounding to integers passes over.
        Assert.All(found, plan => Assert.DoesNotContain(plans, p => p.Loss <= plan.Loss * (1 - 1e-9) && p.Gain > plan.Gain + 1e-9));
        Assert.Equal(plans.Max(p => p.Gain), found[^1].Gain, 1e-9);

        // What no plan of the frontier comes near in gain is none for which it would have to have.
        foreach ((_, double gain, double loss, _) in plans)
        {
            Plan best = found.LastOrDefault(f => f.Loss <= loss * (1 + 0.021) + 1e-9 * found[^1].Loss) ?? found[0];
            Assert.True(gain <= best.Gain + Step + 1e-9, $"{gain} at {loss}, of {best.Gain} at {best.Loss}");
        }
    }
}
