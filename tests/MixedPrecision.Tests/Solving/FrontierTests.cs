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
            IReadOnlyList<Plan> all = Frontier.Of(problem, Step, 1000, Solve), few = Frontier.Of(problem, Step, 3, Solve);
            Assert.InRange(few.Count, 1, 3);
            Assert.Equal((all[0].Gain, all[^1].Gain), (few[0].Gain, few[^1].Gain));
        },
        iter: 20,
        threads: 2);

    private static Plan Solve(SolverProblem problem) => Solver.Solve(problem);

    private static void AssertFrontier(SolverProblem problem)
    {
        IReadOnlyList<Plan> found = Frontier.Of(problem, Step, 1000, Solve);
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
