using MixedPrecision.Solving;

namespace MixedPrecision.Tests.Solving;

public sealed class BaselinesTests
{
    private static readonly SolverProblem Problem = new(
        [
            SolverTests.Single("a", ("fp32", 0, 0), ("int8-dynamic", 4, 1), ("fp16", 1, 0.5)),
            SolverTests.Single("b", ("fp32", 0, 0), ("int8-dynamic", 1, 3)),
            SolverTests.Single("c", ("fp32", 0, 0), ("int8-dynamic", 1, 2)),
        ],
        5,
        new LossModel.Diagonal());

    [Fact]
    public void PrefixEndsBeforeTheSubgraphThatPassesTheBudget()
    {
        Plan plan = Baselines.Prefix(Problem)!;
        Assert.Equal(["int8-dynamic", "int8-dynamic", "fp32"], plan.Formats.Select(formats => formats[0]));
        Assert.Equal((4.0, 5.0), (plan.Gain, plan.Loss));
    }

    [Fact]
    public void RandomOrderFollowsItsSeedAndStaysWithinTheBudget()
    {
        Plan[] plans = [.. Enumerable.Range(0, 20).Select(seed => Baselines.Random(Problem, seed)!)];
        Assert.Equal(plans[3].Formats, Baselines.Random(Problem, 3)!.Formats);
        Assert.True(plans.Select(plan => plan.Gain).Distinct().Count() > 1);
        Assert.All(plans, plan => Assert.InRange(plan.Loss, 0, 5));
    }

    [Fact]
    public void BestUniformTakesOneFormatWhereOffered()
    {
        Plan half = Baselines.BestUniform(Problem)!;
        Assert.Equal(["fp16", "fp32", "fp32"], half.Formats.Select(formats => formats[0]));
        Assert.Equal(6, Baselines.BestUniform(Problem with { LossBudget = 6 })!.Gain);
    }

    [Fact]
    public void PerLayerIgnoresMeasurementsButIsCountedByThem()
    {
        SubgraphChoices misjudged = Problem.Subgraphs[1] with { Measured = [new MeasuredConfiguration(["int8-dynamic"], -1)] };
        SolverProblem measured = Problem with { Subgraphs = [Problem.Subgraphs[0], misjudged, Problem.Subgraphs[2]] };
        Plan plan = Baselines.PerLayer(measured)!;
        Assert.Equal("int8-dynamic", plan.Formats[1][0]);
        Assert.Equal(1.5, plan.Gain);
        Assert.True(Solver.Solve(measured).Gain > plan.Gain);
    }

    [Fact]
    public void ThereIsNoneWhenEvenTheLeastLossPassesTheBudget()
    {
        SolverProblem infeasible = Problem with { Subgraphs = [SolverTests.Single("a", ("int8-dynamic", 9, 1))] };
        Assert.Null(Baselines.Prefix(infeasible));
        Assert.Null(Baselines.Random(infeasible, 1));
        Assert.Null(Baselines.PerLayer(infeasible));
        Assert.Null(Baselines.BestUniform(infeasible));
    }
}
