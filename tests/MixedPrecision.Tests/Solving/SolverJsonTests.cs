using System.Text.Json;
using MixedPrecision.Solving;

namespace MixedPrecision.Tests.Solving;

public sealed class SolverJsonTests
{
    private static readonly JsonSerializerOptions WithFields = new() { IncludeFields = true };

    [Fact]
    public void EachNumberOfTheLossModelEntersTheJson()
    {
        SubgraphChoices[] subgraphs = [SolverTests.Single("a", ("fp32", 0, 0), ("int8-dynamic", 1, 1))];
        var loss = new LossModel.Quadratic([[], [1, -1]], [0, 0.5], 0.25);
        LossModel[] models =
        [
            loss,
            loss with { Deltas = [[], [1, Math.BitIncrement(-1)]] },
            loss with { Rises = [0, 0.25] },
            loss with { Shrinkage = 0.5 },
            loss with { Doubt = new SampleDoubt(1, [1, 2]) },
            loss with { Doubt = new SampleDoubt(2, [1, 2]) },
            loss with { Doubt = new SampleDoubt(1, [1, 3]) },
            new LossModel.Diagonal(),
        ];
        string[] texts = [.. models.Select(model => JsonSerializer.Serialize(new SolverProblem(subgraphs, 1, model)))];
        Assert.Equal(models.Length, texts.Distinct().Count());
        Assert.All(texts, text => Assert.Equal(text, JsonSerializer.Serialize(JsonSerializer.Deserialize<SolverProblem>(text))));
    }

    /// <summary>Keys of programs hold all that constrains them.</summary>
    [Fact]
    public void EachConstraintEntersTheJson()
    {
        SubgraphChoices[] subgraphs = [SolverTests.Single("a", ("fp32", 0, 0), ("int8-dynamic", 1, 1)), SolverTests.Single("b", ("fp32", 0, 0))];
        var problem = new SolverProblem(subgraphs, 1, new LossModel.Diagonal()) { Consequences = [new Consequence("c", [], 0)] };
        SolverProblem[] problems =
        [
            problem,
            problem with { MostBytes = 5 },
            problem with { SharedFormats = [["a", "b"]] },
            problem with { Consequences = [new Consequence("c", [], 0) { Bytes = 3 }] },
            problem with { Subgraphs = [subgraphs[0] with { Layers = [subgraphs[0].Layers[0] with { Choices = [.. subgraphs[0].Layers[0].Choices.Select(c => c with { Bytes = 7 })] }] }, subgraphs[1]] },
        ];
        string[] texts = [.. problems.Select(p => JsonSerializer.Serialize(p))];
        Assert.Equal(problems.Length, texts.Distinct().Count());
        Assert.All(texts, text => Assert.Equal(text, JsonSerializer.Serialize(JsonSerializer.Deserialize<SolverProblem>(text))));
    }

    [Theory]
    [InlineData(5)]
    [InlineData(0.5)]
    public void PlansComeBackFromJson(double budget)
    {
        SubgraphChoices[] subgraphs =
        [
            SolverTests.Single("a", ("int8-dynamic", 1, 1), ("int4-weight", 2, 1.5)),
            SolverTests.Single("b", ("fp32", 0, 0)),
        ];
        Plan plan = Solver.Solve(new SolverProblem(subgraphs, budget, new LossModel.Diagonal()), TestContext.Current.CancellationToken);
        Plan back = JsonSerializer.Deserialize<Plan>(JsonSerializer.Serialize(plan, WithFields), WithFields)!;
        Assert.Equal(plan.Configurations, back.Configurations);
        Assert.Equal(plan.Infeasibility?.Layers, back.Infeasibility?.Layers);
        Assert.Equal(plan.Infeasibility?.MinimalLoss, back.Infeasibility?.MinimalLoss);
        Assert.Equal(
            plan with { Configurations = [], Infeasibility = null },
            back with { Configurations = [], Infeasibility = null });
        Assert.Equal(budget < 1, back.Infeasibility is { Layers: [("a", 1.0)] });
    }
}
