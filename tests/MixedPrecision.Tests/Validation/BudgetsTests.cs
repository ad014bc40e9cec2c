using MixedPrecision.Solving;
using MixedPrecision.Tests.Solving;
using MixedPrecision.Validation;

namespace MixedPrecision.Tests.Validation;

public class BudgetsTests
{
    private static readonly SolverProblem Problem = new(
        [
            SolverTests.Single("dear", ("fp32", 0, 0), ("int8-dynamic", 100, 2)),
            SolverTests.Single("cheap", ("fp32", 0, 0), ("int8-dynamic", 0.01, 2)),
            SolverTests.Single("slower", ("fp32", 0, 0), ("int8-dynamic", 5, -1)),
            SolverTests.Single("middle", ("fp32", 0, 0), ("int8-dynamic", 1, 2)),
        ],
        0,
        new LossModel.Diagonal());

    /// <summary>Thirds of the gain are those of the three sub-graphs that gain, the one of least loss first.</summary>
    [Fact]
    public void TheyAreTheLossesOfEqualPartsOfTheGain()
    {
        IReadOnlyList<double> budgets = Budgets.Of(Problem, 4);
        Assert.Equal([0, 0.01, 1.01, 101.01], budgets.Select(b => Math.Round(b, 3)));
        Assert.Equal([0, 2, 4, 6], budgets.Select(b => Solver.Solve(Problem with { LossBudget = b }).Gain));
    }

    [Fact]
    public void TheyAscendAndEachIsThereOnce()
    {
        IReadOnlyList<double> budgets = Budgets.Of(Problem, 16);
        Assert.Equal(16, budgets.Count);
        Assert.Equal(budgets.Order(), budgets);
        Assert.Equal([0.0], Budgets.Of(Problem with { Subgraphs = [Problem.Subgraphs[2]] }, 16));
    }

    /// <summary>A pinned layer's loss is the least there is.</summary>
    [Fact]
    public void TheFirstIsTheLeastThatRulesAllow() =>
        Assert.Equal(7, Math.Round(Budgets.Of(Problem with { Subgraphs = [.. Problem.Subgraphs, SolverTests.Single("pinned", ("int8-dynamic", 7, 0))] }, 4)[0], 3));
}
