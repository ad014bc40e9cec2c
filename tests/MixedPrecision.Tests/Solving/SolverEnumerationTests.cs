using CsCheck;
using MixedPrecision.Solving;

namespace MixedPrecision.Tests.Solving;

public sealed class SolverEnumerationTests
{
    /// <summary>Two ways to sum the same numbers differ by this much of their size.</summary>
    private const double SumError = 1e-12;

    [Fact]
    public void DiagonalProblemsAreSolvedAsByEnumeration() => RandomProblems.Diagonal.Sample(AssertOptimal, iter: 60, threads: 2);

    [Fact]
    public void QuadraticProblemsAreSolvedAsByEnumeration() => RandomProblems.Quadratic.Sample(AssertOptimal, iter: 60, threads: 2);

    [Fact]
    public void ProblemsWithStructuresAreSolvedAsByEnumeration() => RandomProblems.Structured.Sample(AssertOptimal, iter: 100, threads: 2);

    [Fact]
    public void ProblemsWithConsequencesAreSolvedAsByEnumeration() => RandomProblems.Connected.Sample(AssertOptimal, iter: 400, threads: 2);

    [Fact]
    public void ProblemsWithSizeAndSharedFormatsAreSolvedAsByEnumeration() => RandomProblems.Constrained.Sample(AssertOptimal, iter: 400, threads: 2);

    /// <summary>What simpler ways choose keeps the same constraints.</summary>
    [Fact]
    public void StrategiesKeepSizeAndSharedFormats() => RandomProblems.Constrained.Sample(
        problem =>
        {
            var all = Enumeration.All(problem);
            Plan?[] plans = [Strategies.Prefix(problem), Strategies.Random(problem, 1), Strategies.PerLayer(problem, TestContext.Current.CancellationToken), Strategies.BestUniform(problem)];
            Assert.All(plans.OfType<Plan>(), plan => Assert.Contains(all, other => other.Configurations.SequenceEqual(plan.Configurations)));
        },
        iter: 60,
        threads: 2);

    /// <summary>Without a limit that binds and with groups of one layer, nothing changes.</summary>
    [Fact]
    public void ConstraintsThatBindNothingChangeNothing() => RandomProblems.Connected.Sample(
        problem =>
        {
            SolverProblem wide = problem with { MostBytes = 0, SharedFormats = [.. problem.Subgraphs.SelectMany(s => s.Layers).Select(l => new[] { l.Name })] };
            Plan plan = Solver.Solve(problem), same = Solver.Solve(wide);
            Assert.Equal(plan.Status, same.Status);
            if (plan.Status != SolverStatus.Infeasible)
                Assert.Equal(plan.Gain, same.Gain, 1e-9);
        },
        iter: 40,
        threads: 2);

    /// <summary>Programs of which the presolve of OR-Tools 9.15 lost the optimum.</summary>
    [Theory]
    [InlineData(80)]
    [InlineData(234)]
    [InlineData(255)]
    [InlineData(306)]
    public void PresolveKeepsTheOptimum(int seed) => AssertOptimal(RandomProblems.Make(seed, quadratic: seed != 80));

    /// <summary>Programs in which exchanges that change nothing seem to lower the loss by rounding.</summary>
    [Theory]
    [InlineData(354)]
    [InlineData(1173)]
    public void ExchangesOfEqualsEnd(int seed) => AssertOptimal(RandomProblems.Make(seed, quadratic: true));

    [Fact]
    public void OfPlansWithEqualGainTheOneOfLeastLossIsTaken() => RandomProblems.Diagonal.Sample(
        problem =>
        {
            // Whole gains and no measurements: ties are everywhere, and exact.
            SolverProblem tied = problem with
            {
                Subgraphs = [.. problem.Subgraphs.Select(subgraph => subgraph with
                {
                    Measured = [],
                    Layers = [.. subgraph.Layers.Select(layer => layer with
                    {
                        Choices = [.. layer.Choices.Select(choice => choice with { Gain = Math.Round(choice.Gain) })],
                    })],
                })],
            };
            Plan plan = Solver.Solve(tied);
            if (plan.Status == SolverStatus.Infeasible)
                return;
            double least = Enumeration.All(tied).Where(other => other.Gain == plan.Gain).Min(other => other.Loss);
            Assert.InRange(plan.Loss, least * (1 - SumError), least + plan.RoundingRelative * tied.LossBudget);
        },
        iter: 40,
        threads: 2);

    private static void AssertOptimal(SolverProblem problem)
    {
        Plan plan = Solver.Solve(problem);
        var all = Enumeration.All(problem);
        if (all.Count == 0)
        {
            Assert.True(plan is { Status: SolverStatus.Infeasible, Infeasibility.IsTooLarge: true });
            return;
        }

        double least = all.Min(other => other.Loss);
        if (plan.Status == SolverStatus.Infeasible)
        {
            Assert.True(least >= problem.LossBudget * (1 - plan.RoundingRelative - SumError));
            Assert.NotNull(plan.Infeasibility);
            Assert.False(plan.Infeasibility.IsTooLarge);
            Assert.Contains(all, other => other.Configurations.SequenceEqual(plan.Configurations) && other.Loss <= plan.Infeasibility.MinimalLoss * (1 + SumError));
            Assert.True(plan.Infeasibility.MinimalLoss >= least * (1 - SumError));
            if (problem.Loss is LossModel.Diagonal && problem.Consequences.All(c => c.Loss == 0) && problem.MostBytes is null)
                Assert.Equal(least, plan.Infeasibility.MinimalLoss, 1e-12);
            return;
        }

        Assert.Equal(SolverStatus.Optimal, plan.Status);
        Assert.Null(plan.Infeasibility);
        var own = all.First(other => other.Configurations.SequenceEqual(plan.Configurations));
        Assert.Equal(own.Gain, plan.Gain, 1e-9);
        Assert.Equal(own.Loss, plan.Loss, 1e-9);
        Assert.True(own.Loss <= problem.LossBudget * (1 + SumError));

        double rounding = plan.RoundingRelative * problem.Subgraphs.SelectMany(subgraph => subgraph.Layers)
            .Sum(layer => layer.Choices.Max(choice => Math.Abs(choice.Gain)) + 1)
            + plan.RoundingRelative * problem.Subgraphs.Sum(subgraph => 6 + subgraph.Structures.Sum(structure => Math.Abs(structure.Gain)) + problem.Consequences.Sum(c => Math.Abs(c.Gain)));
        double reached = problem.LossBudget * (1 - plan.RoundingRelative - SumError);
        double best = Enumeration.GreatestGain(problem, reached) ?? double.NegativeInfinity;
        Assert.True(plan.Gain >= best - rounding, $"gain {plan.Gain}, enumeration {best}");
        Assert.True(plan.Bound >= best - rounding, $"bound {plan.Bound}, enumeration {best}");
        Assert.InRange(plan.Bound, plan.Gain, plan.Gain + 2 * rounding + 1e-9);
    }
}
