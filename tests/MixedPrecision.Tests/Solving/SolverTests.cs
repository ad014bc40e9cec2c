using System.Diagnostics;
using MixedPrecision.Diagnostics;
using MixedPrecision.Solving;

namespace MixedPrecision.Tests.Solving;

public sealed class SolverTests(ITestOutputHelper output)
{
    private static readonly LossModel Diagonal = new LossModel.Diagonal();

    [Fact]
    public void LargeKnapsackIsProvenOptimal()
    {
        SolverProblem problem = Large(new Random(1));
        var watch = Stopwatch.StartNew();
        Plan plan = Solver.Solve(problem);
        output.WriteLine($"200 sub-graphs of 50 choices: {watch.Elapsed.TotalSeconds:0.00} s, gain {plan.Gain:R}, bound {plan.Bound:R}");
        Assert.Equal(SolverStatus.Optimal, plan.Status);
        Assert.InRange(plan.Bound, plan.Gain, plan.Gain * (1 + 1e-9));
        Assert.InRange(plan.Loss, 0, problem.LossBudget);

        // An independent upper bound: the relaxation to fractions.
        double relaxed = RelaxedGain(problem);
        double greatestStep = problem.Subgraphs.Max(subgraph => subgraph.Layers[0].Choices.Max(choice => choice.Gain));
        Assert.InRange(plan.Gain, relaxed - greatestStep, relaxed * (1 + 1e-12));
    }

    [Fact]
    public void ManySubgraphsOfManyLayersAreProvenOptimal()
    {
        var random = new Random(2);
        SubgraphChoices[] subgraphs = [.. Enumerable.Range(0, 40)
            .Select(index => RandomProblems.MakeSubgraph(random, index, random.Next(1, 10), 6, pins: false))];
        var watch = Stopwatch.StartNew();
        Plan plan = Solver.Solve(new SolverProblem(subgraphs, 1, Diagonal));
        output.WriteLine($"40 sub-graphs of 1 to 9 layers: {watch.Elapsed.TotalSeconds:0.00} s, gain {plan.Gain:R}, bound {plan.Bound:R}");
        Assert.Equal(SolverStatus.Optimal, plan.Status);
        Assert.InRange(plan.Loss, 0, 1);
    }

    [Theory]
    [InlineData(0.3, 0.7, 0.01)]
    [InlineData(0.1, 0.3, 0.2)]
    public void QuadraticModelOfADecodersSizeIsProvenOrBounded(double common, double shrinkage, double gap)
    {
        SolverProblem problem = Decoder(new Random(3), common, shrinkage);
        Plan plan = Solver.Solve(problem, TestContext.Current.CancellationToken);
        output.WriteLine($"24 sub-graphs, 256 samples: {plan.Tangents} tangents, {plan.Status}, gain {plan.Gain:R}, bound {plan.Bound:R}");
        Assert.NotEqual(SolverStatus.Infeasible, plan.Status);
        Assert.InRange(plan.Bound, plan.Gain, plan.Gain * (1 + (plan.Status == SolverStatus.Optimal ? 1e-9 : gap)));
        Assert.InRange(plan.Loss, 0, problem.LossBudget);

        // The bound is honest: it is not below what a simpler strategy reaches under the same model.
        Assert.All([Strategies.Prefix(problem), Strategies.Random(problem, 1), Strategies.BestUniform(problem)], baseline =>
            Assert.InRange(baseline!.Gain, 0, Math.Min(plan.Gain, plan.Bound)));
    }

    [Fact]
    public void ACancelledSearchEnds()
    {
        SolverProblem problem = Decoder(new Random(3), 0.1, 0);
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        Assert.Throws<OperationCanceledException>(() => Solver.Solve(problem, cancelled.Token));
        using var later = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        Assert.Throws<OperationCanceledException>(() => Solver.Solve(problem, later.Token));
    }

    [Fact]
    public void EqualProblemsGiveEqualPlans()
    {
        var random = new Random(4);
        SubgraphChoices[] subgraphs = [.. Enumerable.Range(0, 5)
            .Select(index => RandomProblems.MakeSubgraph(random, index, 3, 3, pins: false))];
        var problem = new SolverProblem(subgraphs, 1, Diagonal);
        SolverProblem quadratic = RandomProblems.MakeQuadratic(random, problem, samples: 64);
        foreach (SolverProblem each in new[] { problem, quadratic })
        {
            (Plan one, Plan other) = (Solver.Solve(each), Solver.Solve(each));
            Assert.Equal(one.Formats, other.Formats);
            Assert.Equal((one.Gain, one.Loss, one.Bound, one.Tangents), (other.Gain, other.Loss, other.Bound, other.Tangents));
        }
    }

    [Fact]
    public void LosslessChoicesFitABudgetOfZero()
    {
        SubgraphChoices subgraph = Single("a", ("fp32", 0, 0), ("copy", 0, 1), ("int8-dynamic", 1e-300, 5));
        Plan plan = Solver.Solve(new SolverProblem([subgraph], 0, Diagonal));
        Assert.Equal((SolverStatus.Optimal, "copy", 0.0), (plan.Status, plan.Formats[0][0], plan.Loss));
    }

    [Fact]
    public void LossesThatFillTheBudgetExactlyFit()
    {
        SubgraphChoices[] subgraphs = [.. "abcd".Select(name => Single($"{name}", ("fp32", 0, 0), ("int8-dynamic", 0.25, 1)))];
        Plan plan = Solver.Solve(new SolverProblem(subgraphs, 1, Diagonal));
        Assert.Equal((4.0, 1.0), (plan.Gain, plan.Loss));
        Assert.Equal(3, Solver.Solve(new SolverProblem(subgraphs, Math.BitDecrement(1), Diagonal)).Gain);
    }

    [Fact]
    public void MeasuredGainReplacesTheSumOfLayers()
    {
        LayerChoices[] layers = [.. "ab".Select(name =>
            new LayerChoices($"{name}", [new FormatChoice("fp32", 0, 0), new FormatChoice("int8-dynamic", 0, 2)]))];
        var measured = new MeasuredConfiguration(["int8-dynamic", "int8-dynamic"], 1.5);
        Plan plan = Solver.Solve(new SolverProblem([new SubgraphChoices("s", layers, [measured])], 1, Diagonal));
        Assert.Equal(2, plan.Gain);
        Assert.Single(plan.Formats[0], "int8-dynamic");

        Plan better = Solver.Solve(new SolverProblem([new SubgraphChoices("s", layers, [measured with { Gain = 5 }])], 1, Diagonal));
        Assert.Equal(5, better.Gain);
        Assert.Equal(["int8-dynamic", "int8-dynamic"], better.Formats[0]);
    }

    [Fact]
    public void InfeasibilityNamesTheSmallestBudgetAndTheLayers()
    {
        SubgraphChoices[] subgraphs =
        [
            Single("free", ("fp32", 0, 0), ("int8-dynamic", 1, 1)),
            Single("small", ("int8-dynamic", 0.5, 1)),
            Single("large", ("int8-dynamic", 2, 1), ("int4-weight", 3, 4)),
        ];
        Plan plan = Solver.Solve(new SolverProblem(subgraphs, 1, Diagonal));
        Assert.Equal(SolverStatus.Infeasible, plan.Status);
        Assert.Equal(2.5, plan.Infeasibility!.MinimalLoss);
        Assert.Equal([("large", 2), ("small", 0.5)], plan.Infeasibility.Layers);
        Assert.Equal(SolverStatus.Optimal, Solver.Solve(new SolverProblem(subgraphs, 2.5, Diagonal)).Status);
    }

    [Fact]
    public void CorrelationsMayMakeAPlanFeasible()
    {
        SubgraphChoices[] subgraphs = [Single("a", ("int8-dynamic", 1, 1)), Single("b", ("fp32", 0, 0), ("int8-dynamic", 1, -1))];
        var loss = new LossModel.Quadratic([[1, -1], [], [-1, 1]], [0, 0, 0], 0);
        Plan plan = Solver.Solve(new SolverProblem(subgraphs, 0.5, loss));
        Assert.Equal((SolverStatus.Optimal, 0.0, 0.0), (plan.Status, plan.Loss, plan.Gain));
        Plan shrunk = Solver.Solve(new SolverProblem(subgraphs, 0.5, loss with { Shrinkage = 1 }));
        Assert.Equal((SolverStatus.Infeasible, 1.0), (shrunk.Status, shrunk.Infeasibility!.MinimalLoss));
    }

    [Fact]
    public void RisesOfLayersAddUpBeforeTheyAreSquared()
    {
        SubgraphChoices[] subgraphs = [.. "ab".Select(name => Single($"{name}", ("fp32", 0, 0), ("int8-dynamic", 0, 1)))];
        var loss = new LossModel.Quadratic([[], [], [], []], [0, 1, 0, 1], 0);
        Assert.Equal(1, Solver.Solve(new SolverProblem(subgraphs, 3.9, loss)).Gain);
        Assert.Equal(2, Solver.Solve(new SolverProblem(subgraphs, 4, loss)).Gain);
    }

    [Fact]
    public void ErrorOfAnInfeasibleBudgetSaysWhatWouldDo()
    {
        MixedPrecisionException error = Errors.BudgetInfeasible(
            "model.policy.yaml", 0.01, 0.023456, [("/classifier", 0.02), ("/head", 0.001)]);
        Assert.Equal(Codes.BudgetInfeasible, error.Diagnostic.Code);
        Assert.Contains("budget of 1 %", error.Message, StringComparison.Ordinal);
        Assert.Contains("at least 2.346 %", error.Message, StringComparison.Ordinal);
        Assert.Contains("'/classifier' (2 %), '/head' (0.1 %)", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ContradictoryProblemsAreRefused()
    {
        SubgraphChoices sound = Single("a", ("fp32", 0, 0));
        Assert.Throws<ArgumentException>(() => Solver.Solve(new SolverProblem([sound], double.NaN, Diagonal)));
        Assert.Throws<ArgumentException>(() => Solver.Solve(new SolverProblem([Single("a")], 1, Diagonal)));
        Assert.Throws<ArgumentException>(() => Solver.Solve(new SolverProblem([Single("a", ("fp32", -1, 0))], 1, Diagonal)));
        Assert.Throws<ArgumentException>(() => Solver.Solve(new SolverProblem([Single("a", ("fp32", 0, double.NaN))], 1, Diagonal)));
        Assert.Throws<ArgumentException>(() => Solver.Solve(new SolverProblem([sound], 1, new LossModel.Quadratic([], [], 0))));
    }

    internal static SubgraphChoices Single(string name, params (string Format, double Loss, double Gain)[] choices) =>
        new(name, [new LayerChoices(name, [.. choices.Select(choice => new FormatChoice(choice.Format, choice.Loss, choice.Gain))])], []);

    private static SolverProblem Large(Random random)
    {
        SubgraphChoices[] subgraphs = [.. Enumerable.Range(0, 200).Select(index => Single($"s{index}", [.. Enumerable.Range(0, 50)
            .Select(choice =>
                choice == 0 ? ("f0", 0.0, 0.0) : ($"f{choice}", Math.Pow(10, -8 * random.NextDouble()), random.NextDouble()))]))];
        return new SolverProblem(subgraphs, 0.01, Diagonal);
    }

    /// <summary>
    /// Twenty-four sub-graphs of doclm's shape in three formats: gains grow with losses, and a part of the errors is common to all.
    /// </summary>
    private static SolverProblem Decoder(Random random, double common, double shrinkage)
    {
        const int Samples = 256;
        double[] shared = [.. Enumerable.Range(0, Samples).Select(_ => Normal(random))];
        var rows = new List<double[]>();
        var rises = new List<double>();
        SubgraphChoices[] subgraphs = [.. Enumerable.Range(0, 24).Select(index => new SubgraphChoices(
            $"s{index}",
            [.. Enumerable.Range(0, new[] { 5, 1, 2, 1 }[index % 4]).Select(layer =>
            {
                double scale = Math.Pow(10, -2 * random.NextDouble());
                double size = 0.5 + random.NextDouble();
                (string, double, double)[] formats = [("fp32", 0.0, 0.0), ("int8-dynamic", 0.01, 1.0), ("int4-weight", 0.1, 1.3)];
                return new LayerChoices($"s{index}/l{layer}", [.. formats.Select(format =>
                {
                    double spread = Math.Sqrt(format.Item2 * scale);
                    double[] row = spread == 0
                        ? []
                        : [.. shared.Select(value => spread * (common * value + (1 - common) * Normal(random)))];
                    rows.Add(row);
                    rises.Add(0.05 * format.Item2 * scale);
                    return new FormatChoice(format.Item1, row.Sum(value => value * value) / Samples, format.Item3 * size);
                })]);
            })],
            []))];
        return new SolverProblem(subgraphs, 0.1, new LossModel.Quadratic(rows, rises, shrinkage));
    }

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    /// <summary>The knapsack with fractions allowed: steps of each sub-graph's concave hull in order of gain per loss.</summary>
    private static double RelaxedGain(SolverProblem problem)
    {
        var steps = new List<(double Loss, double Gain)>();
        foreach (SubgraphChoices subgraph in problem.Subgraphs)
        {
            FormatChoice current = subgraph.Layers[0].Choices[0];
            while (subgraph.Layers[0].Choices.Where(choice => choice.Gain > current.Gain)
                .MaxBy(choice => (choice.Gain - current.Gain) / (choice.Loss - current.Loss)) is { } next)
            {
                steps.Add((next.Loss - current.Loss, next.Gain - current.Gain));
                current = next;
            }
        }

        double rest = problem.LossBudget;
        double gain = 0;
        foreach ((double loss, double more) in steps.OrderByDescending(step => step.Gain / step.Loss))
        {
            double share = Math.Min(1, rest / loss);
            gain += share * more;
            rest -= share * loss;
            if (share < 1)
                break;
        }

        return gain;
    }
}
