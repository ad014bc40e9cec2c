using CsCheck;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Solving;

/// <summary>What the choice of samples adds to P: against formulas, against trials, and against enumeration of all plans.</summary>
public sealed class SampleDoubtTests
{
    [Theory]
    [InlineData(0.5, 0)]
    [InlineData(0.8413, 1)]
    [InlineData(0.95, 1.645)]
    [InlineData(0.999, 3.090)]
    public void Levels_are_those_of_a_normal_distribution(double level, double deviations) => Assert.Equal(deviations, SampleDoubt.DeviationsOf(level), 0.001);

    [Fact]
    public void The_greatest_mean_is_the_mean_and_its_standard_errors()
    {
        double[] values = [.. Enumerable.Range(0, 100).Select(i => Math.Sin(i))];
        double mean = values.Average(), error = Math.Sqrt(values.Average(v => (v - mean) * (v - mean)) / values.Length);
        double[] weights = SampleDoubt.Worst(values, 1.645);
        Assert.Equal(1, weights.Average(), 1e-12);
        Assert.Equal(mean + (1.645 * error), values.Zip(weights, (v, w) => v * w).Average(), 1e-12);
    }

    /// <summary>Few samples and many standard errors: weights would fall below 0.</summary>
    [Fact]
    public void No_allowed_weights_have_a_greater_mean() => Gen.Select(Gen.Double[-1, 1].Array[2, 9], Gen.Double[0.1, 4], Gen.Int[0, 1000]).Sample(
        (values, deviations, seed) =>
        {
            double[] worst = SampleDoubt.Worst(values, deviations);
            Assert.Equal(1, worst.Average(), 1e-9);
            Assert.All(worst, w => Assert.True(w >= 0));
            double greatest = values.Zip(worst, (v, w) => v * w).Average();
            var random = new Random(seed);
            for (int trial = 0; trial < 200; trial++)
            {
                double[] weights = [.. values.Select(_ => -Math.Log(random.NextDouble()))];
                double sum = weights.Average();
                weights = [.. weights.Select(w => w / sum)];

                // Drawn towards equal weights until it is allowed.
                double size = Math.Sqrt(weights.Sum(w => (w - 1) * (w - 1))), factor = Math.Min(1, deviations / size);
                weights = [.. weights.Select(w => 1 + (factor * (w - 1)))];
                Assert.True(values.Zip(weights, (v, w) => v * w).Average() <= greatest + 1e-9);
            }
        },
        iter: 200,
        threads: 1);

    [Fact]
    public void Plans_keep_the_budget_with_what_is_in_doubt_and_none_gains_more() => Gen.Int[0, int.MaxValue - 1].Sample(
        seed =>
        {
            var random = new Random(seed);
            SolverProblem problem = RandomProblems.Make(seed, quadratic: true);
            var model = (LossModel.Quadratic)problem.Loss;
            var doubt = new SampleDoubt(0.2 + (2 * random.NextDouble()), [.. Enumerable.Range(0, 12).Select(_ => random.NextDouble() * random.NextDouble())]);
            if (model.Deltas.All(d => d.Length == 0))
            {
                return;
            }

            problem = problem with { Loss = model with { Doubt = doubt } };
            Plan plan = Solver.Solve(problem);
            var all = Enumeration.All(problem).Select(p => (p.Configurations, p.Gain, Counted: Counted(problem, doubt, p.Configurations))).ToList();
            if (plan.Status == SolverStatus.Infeasible)
            {
                Assert.All(all, p => Assert.True(p.Counted >= problem.LossBudget * (1 - 1e-6)));
                return;
            }

            Assert.Equal(SolverStatus.Optimal, plan.Status);
            var own = all.First(p => p.Configurations.SequenceEqual(plan.Configurations));
            Assert.True(own.Counted <= problem.LossBudget * (1 + 1e-9));
            double best = all.Where(p => p.Counted <= problem.LossBudget * (1 - 1e-6)).Max(p => p.Gain);
            Assert.True(plan.Gain >= best - 1e-6, $"gain {plan.Gain}, enumeration {best}");
        },
        iter: 60,
        threads: 2);

    [Fact]
    public void More_doubt_leaves_less_gain()
    {
        SolverProblem problem = RandomProblems.Make(0, quadratic: true) with
        {
            Subgraphs = [.. Enumerable.Range(0, 8).Select(i => SolverTests.Single($"{i}", ("fp32", 0, 0), ("int8-dynamic", 1, 1)))],
            LossBudget = 5,
        };
        var random = new Random(3);
        double[] Delta() => [.. Enumerable.Range(0, 12).Select(_ => (random.NextDouble() * 4) - 2)];
        var model = new LossModel.Quadratic([.. Enumerable.Range(0, 8).SelectMany(_ => new double[][] { [], Delta() })], new double[16], 0);
        double[] gains = [.. new[] { 0, 0.5, 1, 2, 3 }.Select(z => Solver.Solve(
            problem with { Loss = z == 0 ? model : model with { Doubt = new SampleDoubt(z, [.. Enumerable.Repeat(1.0, 12)]) } }, TestContext.Current.CancellationToken).Gain)];
        Assert.Equal(gains.OrderDescending(), gains);
        Assert.True(gains[^1] < gains[0]);
    }

    /// <summary>90 % of all draws of samples give an interval that holds the true value.</summary>
    [Fact]
    public void The_interval_holds_the_true_value_as_often_as_it_says()
    {
        const int Draws = 400, Samples = 100;
        var random = new Random(1);
        int held = 0;
        for (int draw = 0; draw < Draws; draw++)
        {
            // A change with a variance of 0.01, on samples whose own loss is 1 or 3: E[δ²] / E[g²] = 0.01 (1 + 9) / (1 + 9), the more certain since both vary together.
            double[] hard = [.. Enumerable.Range(0, Samples).Select(_ => random.Next(2) == 0 ? 1.0 : 3.0)];
            double[] delta = [.. hard.Select(h => 0.1 * h * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()))];
            double[] squares = [.. hard.Select(h => h * h)];
            SubgraphChoices[] subgraphs = [SolverTests.Single("a", ("fp32", 0, 0), ("int8-dynamic", 0.05, 1))];
            var problem = new SolverProblem(subgraphs, 1, new LossModel.Quadratic([[], delta], [0, 0], 0));
            (double low, double high) = Strategies.Interval(problem, [Configuration.Exported(["int8-dynamic"])], squares, SampleDoubt.DeviationsOf(0.95));
            double mean = squares.Average();
            held += low / mean <= 0.01 && 0.01 <= high / mean ? 1 : 0;
        }

        Assert.InRange(held / (double)Draws, 0.85, 0.95);
    }

    /// <summary>P and z standard errors of what each sample adds to it beyond its part of the budget, by the greatest mean over allowed weights, found by bisection.</summary>
    private static double Counted(SolverProblem problem, SampleDoubt doubt, Configuration[] configurations)
    {
        var model = (LossModel.Quadratic)problem.Loss;
        int row = 0;
        var rows = new List<int>();
        foreach ((SubgraphChoices subgraph, Configuration configuration) in problem.Subgraphs.Zip(configurations))
        {
            foreach ((LayerChoices layer, string format) in subgraph.Layers.Zip(configuration.Formats))
            {
                rows.Add(row + layer.Choices.ToList().FindIndex(c => c.Format == format));
                row += layer.Choices.Count;
            }
        }

        // Halved so often, an interval has no number left inside.
        const int Halvings = 64;
        int samples = doubt.SquareLosses.Length;
        double mean = doubt.SquareLosses.Average(), rise = rows.Sum(r => model.Rises[r]);
        double[] terms = [.. Enumerable.Range(0, samples).Select(s =>
        {
            double[] deltas = [.. rows.Select(r => model.Deltas[r].Length == 0 ? 0 : model.Deltas[r][s])];
            return ((1 - model.Shrinkage) * deltas.Sum() * deltas.Sum()) + (model.Shrinkage * deltas.Sum(d => d * d)) - (problem.LossBudget * doubt.SquareLosses[s] / mean);
        })];

        // n·w = max(0, 1 + (b − level) / spread): for each spread the level that makes the mean 1; then the spread that makes Σ (n·w − 1)² what it may be.
        double[] Weights(double spread)
        {
            double low = terms.Min() - (spread * samples), high = terms.Max() + (spread * samples);
            for (int step = 0; step < Halvings; step++)
            {
                double level = (low + high) / 2;
                double sum = 0;
                foreach (double b in terms)
                {
                    sum += Math.Max(0, 1 + ((b - level) / spread));
                }

                (low, high) = sum > samples ? (level, high) : (low, level);
            }

            return [.. terms.Select(b => Math.Max(0, 1 + ((b - low) / spread)))];
        }

        (double least, double most) = (-30, 30);
        for (int step = 0; step < Halvings; step++)
        {
            double spread = Math.Exp((least + most) / 2);
            (least, most) = Weights(spread).Sum(w => (w - 1) * (w - 1)) > doubt.Deviations * doubt.Deviations ? ((least + most) / 2, most) : (least, (least + most) / 2);
        }

        return terms.Zip(Weights(Math.Exp(most)), (b, w) => b * w).Average() + problem.LossBudget + (rise * rise);
    }
}
