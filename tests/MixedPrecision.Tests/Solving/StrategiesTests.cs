using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Solving;

public sealed class StrategiesTests
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
        Plan plan = Strategies.Prefix(Problem)!;
        Assert.Equal(["int8-dynamic", "int8-dynamic", "fp32"], plan.Formats.Select(formats => formats[0]));
        Assert.Equal((4.0, 5.0), (plan.Gain, plan.Loss));
    }

    [Fact]
    public void RandomOrderFollowsItsSeedAndStaysWithinTheBudget()
    {
        Plan[] plans = [.. Enumerable.Range(0, 20).Select(seed => Strategies.Random(Problem, seed)!)];
        Assert.Equal(plans[3].Formats, Strategies.Random(Problem, 3)!.Formats);
        Assert.True(plans.Select(plan => plan.Gain).Distinct().Count() > 1);
        Assert.All(plans, plan => Assert.InRange(plan.Loss, 0, 5));
    }

    [Fact]
    public void BestUniformTakesOneFormatWhereOffered()
    {
        Plan half = Strategies.BestUniform(Problem)!;
        Assert.Equal(["fp16", "fp32", "fp32"], half.Formats.Select(formats => formats[0]));
        Assert.Equal(6, Strategies.BestUniform(Problem with { LossBudget = 6 })!.Gain);
    }

    [Fact]
    public void PerLayerIgnoresMeasurementsButIsCountedByThem()
    {
        SubgraphChoices misjudged = Problem.Subgraphs[1] with { Measured = [new MeasuredConfiguration(["int8-dynamic"], -1)] };
        SolverProblem measured = Problem with { Subgraphs = [Problem.Subgraphs[0], misjudged, Problem.Subgraphs[2]] };
        Plan plan = Strategies.PerLayer(measured)!;
        Assert.Equal("int8-dynamic", plan.Formats[1][0]);
        Assert.Equal(1.5, plan.Gain);
        Assert.True(Solver.Solve(measured).Gain > plan.Gain);
    }

    [Fact]
    public void SettledTakesTheBestStructureThatTheFormatsAllow()
    {
        SubgraphChoices first = Problem.Subgraphs[0] with { Structures = [new StructureChoice("fused", 1, ["fp32"]), new StructureChoice("quantized", 3, ["int8-dynamic"])] };
        SolverProblem problem = Problem with { Subgraphs = [first, .. Problem.Subgraphs.Skip(1)] };
        Plan plan = Strategies.Settled(problem, [Configuration.Exported(["int8-dynamic"]), Configuration.Exported(["fp32"]), Configuration.Exported(["int8-dynamic"])]);
        Assert.Equal(["quantized int8-dynamic", "exported fp32", "exported int8-dynamic"], plan.Configurations.Select(c => c.ToString()));
        Assert.Equal((6.0, 5.0), (plan.Gain, plan.Loss));
    }

    /// <summary>A structure costs no loss: every strategy but those that are about other tools' choices takes it where it gains.</summary>
    [Fact]
    public void StructuresAreTakenWhereTheirFormatsAllow()
    {
        SubgraphChoices first = Problem.Subgraphs[0] with { Structures = [new StructureChoice("fused", 1, ["fp32"]), new StructureChoice("quantized", 3, ["int8-dynamic"])] };
        SolverProblem problem = Problem with { Subgraphs = [first, .. Problem.Subgraphs.Skip(1)], LossBudget = 5.1 };
        Plan plan = Solver.Solve(problem);
        Assert.Equal(("quantized int8-dynamic", 7.0), (plan.Configurations[0].ToString(), plan.Gain));
        Assert.Equal(("fused fp32", 1.0), (Solver.Solve(problem with { LossBudget = 0 }).Configurations[0].ToString(), Solver.Solve(problem with { LossBudget = 0 }).Gain));
        Assert.Equal("quantized int8-dynamic", Strategies.Prefix(problem)!.Configurations[0].ToString());
        Assert.Equal("exported fp16", Strategies.BestUniform(problem)!.Configurations[0].ToString());
    }

    [Fact]
    public void ThereIsNoneWhenEvenTheLeastLossPassesTheBudget()
    {
        SolverProblem infeasible = Problem with { Subgraphs = [SolverTests.Single("a", ("int8-dynamic", 9, 1))] };
        Assert.Null(Strategies.Prefix(infeasible));
        Assert.Null(Strategies.Random(infeasible, 1));
        Assert.Null(Strategies.PerLayer(infeasible));
        Assert.Null(Strategies.BestUniform(infeasible));
    }
}
