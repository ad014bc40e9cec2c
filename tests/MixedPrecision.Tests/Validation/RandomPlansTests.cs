using MixedPrecision.Solving;
using MixedPrecision.Structures;
using MixedPrecision.Tests.Solving;
using MixedPrecision.Validation;

namespace MixedPrecision.Tests.Validation;

public class RandomPlansTests
{
    private static readonly SolverProblem Problem = new(
        [
            .. Enumerable.Range(0, 10).Select(i => SolverTests.Single($"free {i}", ("fp32", 0, 0), ("int8-dynamic", 1, 1), ("int4-weight", 2, 1))),
            SolverTests.Single("pinned", ("int8-dynamic", 1, 1)),
            SolverTests.Single("kept", ("fp32", 0, 0)),
        ],
        1,
        new LossModel.Diagonal());

    [Fact]
    public void TheyDifferAndAreTheSameEveryTime()
    {
        IReadOnlyList<IReadOnlyList<Configuration>> plans = RandomPlans.Draw(Problem, 24);
        Assert.Equal(24, plans.Select(Text).Distinct().Count());
        Assert.Equal(plans.Select(Text), RandomPlans.Draw(Problem, 24).Select(Text));
    }

    [Fact]
    public void TheyChangeFewToAllLayersIntoAllFormatsAndKeepWhatIsPinned()
    {
        IReadOnlyList<IReadOnlyList<Configuration>> plans = RandomPlans.Draw(Problem, 24);
        int[] changed = [.. plans.Select(p => p.Take(10).Count(c => c.Formats[0] != "fp32"))];
        Assert.Contains(10, changed);
        Assert.Contains(changed, c => c <= 2);
        Assert.Equal(["fp32", "int4-weight", "int8-dynamic"], plans.SelectMany(p => p.Take(10)).Select(c => c.Formats[0]).Distinct().Order(StringComparer.Ordinal));
        Assert.All(plans, p => Assert.Equal(("int8-dynamic", "fp32"), (p[10].Formats[0], p[11].Formats[0])));
        Assert.All(plans.SelectMany(p => p), c => Assert.Equal("exported", c.Structure));
    }

    [Fact]
    public void ASmallModelHasFewAndOneWithoutAChoiceNone()
    {
        Assert.Equal(2, RandomPlans.Draw(Problem with { Subgraphs = [Problem.Subgraphs[0]] }, 24).Count);
        Assert.Empty(RandomPlans.Draw(Problem with { Subgraphs = [Problem.Subgraphs[11]] }, 24));
    }

    private static string Text(IReadOnlyList<Configuration> plan) => string.Join("; ", plan);
}
