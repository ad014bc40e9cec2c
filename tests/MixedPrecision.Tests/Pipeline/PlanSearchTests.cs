using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Calibration;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Pipeline;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>
/// The search on machines that are made up: what every configuration gains is known, and so is the best plan. A layer has its own gain in each format, layers in one format share work, and structures gain by
/// themselves. Measured gains have an interval.
/// </summary>
public class PlanSearchTests
{
    private const int Samples = 4;
    private const int LayerCount = 4;
    private static readonly string[] Names = ["fp32", "int8-dynamic", "int8-weight", "int4-weight"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void NoConfigurationIsMissed(int seed)
    {
        var machine = new MadeUp(seed);
        PlanningInput input = machine.Input with { Floor = new GainFloor(0, 100, 2 * LayerCount) };
        foreach (double budget in new[] { 0.3, 1, 3, 100 })
        {
            (Plan plan, Gains gains) = Planner.Plan(input, machine.First, budget, machine.Steps());
            double best = machine.Best(budget);
            Assert.Equal(SolverStatus.Optimal, plan.Status);
            Assert.All(plan.Configurations.Index(), c => Assert.True(
                !c.Item.Changes("fp32") || gains.Knows(new SubgraphConfiguration(input.Partition.Subgraphs[c.Index], c.Item)), $"{c} was not measured"));
            Assert.Equal(plan.Gain, machine.Gain(plan.Configurations), 1e-6);
            Assert.True(plan.Gain >= best - (0.0025 * 100) - 1e-6, $"{plan.Gain} where {best} is possible");
            Assert.True(plan.Bound >= best - 1e-6, $"a bound of {plan.Bound} where {best} is possible");
            Assert.InRange(plan.Bound - plan.Gain, 0, (0.0025 * 100) + 1e-6);
            Assert.InRange(gains.Count, 1, machine.Possible / 2);
        }
    }

    [Fact]
    public void WhenTheTimeIsOverTheGapIsStated()
    {
        var machine = new MadeUp(3);
        (Plan plan, Gains gains) = Planner.Plan(machine.Input, machine.First, 100, machine.Steps(isOver: true));
        Assert.All(plan.Configurations.Index(), c => Assert.True(!c.Item.Changes("fp32") || gains.Knows(new SubgraphConfiguration(machine.Input.Partition.Subgraphs[c.Index], c.Item))));
        Assert.True(plan.Bound > plan.Gain);
        Assert.True(plan.Bound >= machine.Best(100) - 1e-6);
    }

    /// <summary>Two equal sub-graphs: what one uses is measured for both, so that their timings are taken once.</summary>
    [Fact]
    public void WhatOneUsesIsMeasuredForAllThatAreEqual()
    {
        var machine = new MadeUp(5);
        var asked = new List<SubgraphConfiguration>();
        Planner.Plan(machine.Input, machine.First, 1, machine.Steps() with { Measure = (gains, open) => machine.Measure(gains, [.. Keep(asked, open)]) });
        Assert.NotEmpty(asked);
        Assert.All(asked, a => Assert.Contains(a with { Subgraph = machine.Input.Partition.Subgraphs[1 - a.Subgraph.Index] }, asked));
    }

    /// <summary>First timings that are off by more than what configurations differ by: the plan is the best of what was timed again, and all of it was.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void WhatWasLuckyOnceIsTimedAgain(int seed)
    {
        var machine = new MadeUp(seed);
        var luck = new Random(seed);
        var again = new HashSet<SubgraphConfiguration>();
        PlanningInput input = machine.Input with { Floor = new GainFloor(0, 100, 2 * LayerCount) };
        Gains Lucky(Gains gains, IReadOnlyList<SubgraphConfiguration> open) => open.Aggregate(gains, (all, c) =>
            machine.Gain([c.Configuration]) + 0.05 + luck.NextDouble() - 0.5 is var gain ? all.With(c, new Gain(gain - 0.5, gain, gain + 0.5)) : all);
        PlanningSteps steps = machine.Steps() with
        {
            Measure = Lucky,
            Compare = (gains, open) =>
            {
                again.UnionWith(open);
                return machine.Measure(gains, open);
            },
        };
        (Plan plan, Gains gains) = Planner.Plan(input, Lucky(Gains.Empty, Measuring.First(input.Partition, input.Allowed, input.Structures)), 100, steps);
        SubgraphConfiguration[] used = [.. input.Partition.Subgraphs.Select(s => new SubgraphConfiguration(s, plan.Configurations[s.Index])).Where(c => c.Configuration.Changes("fp32"))];
        Assert.NotEmpty(again);
        Assert.Subset(again, used.ToHashSet());
        foreach (SubgraphConfiguration own in used)
        {
            Assert.Equal(again.Where(c => c.Subgraph == own.Subgraph).Max(c => machine.Gain([c.Configuration])), machine.Gain([own.Configuration]), 0.05);
            Assert.All(gains.Of(own.Subgraph).Where(g => !again.Contains(new SubgraphConfiguration(own.Subgraph, g.Configuration))), g => Assert.True(g.Gain.Low <= machine.Gain([own.Configuration]) + 0.05));
        }
    }

    /// <summary>Where nothing further can be measured, a plan is the best of what was, and what the search would measure now is asked for once.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void AClosedSearchStandsOnWhatWasMeasured(int seed)
    {
        var machine = new MadeUp(seed);
        PlanningInput input = machine.Input with { Floor = new GainFloor(0, 100, 2 * LayerCount), IsClosed = true };
        int asked = 0;
        PlanningSteps steps = machine.Steps() with
        {
            Measure = (gains, open) =>
            {
                asked++;
                return open.Aggregate(gains, (all, c) => all.With(c, new ConfigurationTiming(c.Configuration, [], [], "it is not there", false) { IsAbsent = true }, [1]));
            },
        };
        foreach (double budget in new[] { 0.3, 1, 100 })
        {
            (asked, double best) = (0, machine.Best(budget, c => machine.First.Knows(c)));
            (Plan plan, Gains gains) = Planner.Plan(input, machine.First, budget, steps);
            Assert.Equal(SolverStatus.Optimal, plan.Status);
            Assert.All(plan.Configurations.Index(), c => Assert.True(!c.Item.Changes("fp32") || machine.First.Knows(new SubgraphConfiguration(input.Partition.Subgraphs[c.Index], c.Item)), $"{c} was not measured"));
            Assert.Equal(best, plan.Gain, 1e-6);
            Assert.True(plan.Bound >= machine.Best(budget) - 1e-6, $"a bound of {plan.Bound} where {machine.Best(budget)} is possible");
            Assert.InRange(asked, plan.Bound - plan.Gain > 0.25 + 0.2 ? 1 : 0, 1);
            Assert.All(gains.Unavailable(input.Partition.Subgraphs[0]), c => Assert.True(gains.IsAbsent(new SubgraphConfiguration(input.Partition.Subgraphs[0], c))));
        }
    }

    /// <summary>A search is kept as what it measured: once more it solves nothing and comes to the same gains, and with other gains it is another search.</summary>
    [Fact]
    public void ASearchThatIsKnownSolvesNothing()
    {
        using var folder = new TemporaryFolder();
        StageRunner runner = Runner(folder);
        var machine = new MadeUp(5);
        double[] budgets = [1, 0.3, 3, 100];
        var open = new List<SubgraphConfiguration>();
        Gains expected = budgets.Aggregate(machine.First, (gains, budget) => Planner.PlanOrLeast(machine.Input, gains, budget, machine.Steps()).Gains);
        Assert.True(expected.Count > machine.First.Count);
        Gains first = Searching.Run(runner, machine.Input, machine.First, budgets, machine.Steps());
        PlanningSteps noSolver = machine.Steps() with { Solve = _ => throw new InvalidOperationException("it was solved again"), Measure = (gains, more) => machine.Measure(gains, Keep(open, more)) };
        Gains again = Searching.Run(runner, machine.Input, machine.First, budgets, noSolver);
        Assert.All([first, again], found => Assert.Equal(expected.Content.Key.Hex, found.Content.Key.Hex));
        Assert.NotEmpty(open);
        Assert.Throws<InvalidOperationException>(() => Searching.Run(runner, machine.Input, again, budgets, noSolver));
        Assert.Throws<InvalidOperationException>(() => Searching.Run(runner, machine.Input, machine.First, [1], noSolver));
        Assert.Throws<InvalidOperationException>(() => Searching.Run(runner, machine.Input with { Floor = new GainFloor(0, 50, 4) }, machine.First, budgets, noSolver));
    }

    /// <summary>Also where the time was over before anything was measured, and however often.</summary>
    [Fact]
    public void ASearchThatWasCutShortIsMadeAgain()
    {
        using var folder = new TemporaryFolder();
        StageRunner runner = Runner(folder);
        var machine = new MadeUp(5);
        double[] budgets = [1, 0.3, 3, 100];
        Gains cut = Searching.Run(runner, machine.Input, machine.First, budgets, machine.Steps(isOver: true));
        Assert.Equal(cut.Content.Key.Hex, Searching.Run(runner, machine.Input, machine.First, budgets, machine.Steps(isOver: true)).Content.Key.Hex);
        Gains after = Searching.Run(runner, machine.Input, cut, budgets, machine.Steps(isOver: true));
        Assert.Equal(cut.Content.Key.Hex, after.Content.Key.Hex);
        foreach (Gains start in new[] { machine.First, cut })
        {
            Gains whole = Searching.Run(runner, machine.Input, start, budgets, machine.Steps());
            Gains expected = budgets.Aggregate(start, (gains, budget) => Planner.PlanOrLeast(machine.Input, gains, budget, machine.Steps()).Gains);
            Assert.True(whole.Count > cut.Count);
            Assert.Equal(expected.Content.Key.Hex, whole.Content.Key.Hex);
            Gains again = Searching.Run(runner, machine.Input, start, budgets, machine.Steps() with { Solve = _ => throw new InvalidOperationException("it was solved again") });
            Assert.Equal(whole.Content.Key.Hex, again.Content.Key.Hex);
        }
    }

    private static StageRunner Runner(TemporaryFolder folder) => new(
        new ContentStore(folder.Combine("cache")), new RunLog(new RunOptions(null, null, _ => { }, _ => { }, TestContext.Current.CancellationToken)));

    private static IReadOnlyList<SubgraphConfiguration> Keep(List<SubgraphConfiguration> all, IReadOnlyList<SubgraphConfiguration> some)
    {
        all.AddRange(some);
        return some;
    }

    private sealed class MadeUp
    {
        private readonly double[,] alone = new double[LayerCount, Names.Length];
        private readonly double[] together = new double[Names.Length];
        private readonly double[,,] losses = new double[2, LayerCount, Names.Length];
        private readonly (string Name, double Gain, Dictionary<string, string> Fixed)[] structures;

        public MadeUp(int seed)
        {
            var random = new Random(seed);
            for (int format = 1; format < Names.Length; format++)
            {
                together[format] = random.NextDouble();
                for (int layer = 0; layer < LayerCount; layer++)
                {
                    alone[layer, format] = (random.NextDouble() * 4) - 1;
                    losses[0, layer, format] = Math.Pow(10, -2 * random.NextDouble());
                    losses[1, layer, format] = Math.Pow(10, -2 * random.NextDouble());
                }
            }

            structures =
            [
                ("fused", random.NextDouble() * 3, new() { ["2"] = "fp32", ["3"] = "fp32" }),
                ("quantized", random.NextDouble() * 8, new() { ["0"] = "int8-dynamic", ["1"] = "int8-dynamic", ["2"] = "fp32" }),
            ];
            Subgraph[] subgraphs = [.. Enumerable.Range(0, 2).Select(index => new Subgraph(
                index, "x", "y", [], [], [.. Enumerable.Range(0, LayerCount).Select(l => new Layer($"{index}/{l}", LayerKind.MatMul, "MatMul", 0, "x", "w", null, $"y{index}/{l}", [4, 4], 16))], "equal"))];
            var sensitivities = subgraphs.SelectMany(s => s.Layers.Select((layer, l) => new LayerSensitivity(
                layer.Name, true, 0, 0, Names.Index().Skip(1).ToDictionary(f => f.Item, f => new FormatSensitivity(
                    losses[s.Index, l, f.Index], losses[s.Index, l, f.Index], 0, Signs(s.Index, l, losses[s.Index, l, f.Index])))))).ToList();
            Input = new PlanningInput(
                new Partition(new GraphView(new GraphProto()), subgraphs, []),
                subgraphs.SelectMany(s => s.Layers).ToDictionary(l => l.Name, _ => new LayerOptions(Names, null, new Dictionary<string, string>())),
                new Sensitivities("made up", Samples, 1, sensitivities))
            {
                Structures = s => [.. structures.Select(f => new FoundStructure(
                    new MixedPrecision.Structures.Structure(f.Name, 1, _ => null),
                    new StructureMatch(f.Fixed.ToDictionary(p => $"{s.Index}/{p.Key}", p => p.Value), ["y"], [new Kernel("none")], _ => { })))],
            };
        }

        public PlanningInput Input { get; }

        public Gains First => Measure(Gains.Empty, Measuring.First(Input.Partition, Input.Allowed, Input.Structures));

        public int Possible => 2 * All(0).Count();

        public PlanningSteps Steps(bool isOver = false) => new(p => Solver.Solve(p), Measure, Compare, _ => throw new InvalidOperationException(), _ => { }, _ => isOver);

        public Gains Measure(Gains gains, IReadOnlyList<SubgraphConfiguration> open) => open.Aggregate(gains, (all, c) => all.With(c, Gain(c.Configuration)));

        /// <summary>What was measured too fast or too slow at first is measured right.</summary>
        private Gains Compare(Gains gains, IReadOnlyList<SubgraphConfiguration> again) => again.Aggregate(gains, (all, c) => all.With(c, Gain(c.Configuration)));

        /// <summary>What a plan gains by lower ends.</summary>
        public double Gain(IReadOnlyList<Configuration> plan) => plan.Sum(c => Gain(c).Low);

        /// <summary>The greatest gain of all plans within a budget.</summary>
        /// <param name="isOffered">Which configurations may be used that change something; null: all.</param>
        public double Best(double budget, Func<SubgraphConfiguration, bool>? isOffered = null)
        {
            bool Offers(int subgraph, Configuration c) => isOffered is null || !c.Changes("fp32") || isOffered(new SubgraphConfiguration(Input.Partition.Subgraphs[subgraph], c));
            double[][] rows = [.. Input.Sensitivities.Layers.SelectMany(l => l.Formats.Values).Select(f => f.Deltas)];
            double shrinkage = Shrinkage.Estimate(rows);
            (double Gain, double[] Sums, double Diagonal)[] first = [.. All(0).Where(c => Offers(0, c)).Select(c => Losses(0, c))], second = [.. All(1).Where(c => Offers(1, c)).Select(c => Losses(1, c))];
            return first.SelectMany(a => second.Where(b => Loss(a, b) <= budget * (1 - 1e-9)).Select(b => a.Gain + b.Gain)).Max();

            double Loss((double, double[] Sums, double Diagonal) a, (double, double[] Sums, double Diagonal) b)
            {
                double squares = 0;
                for (int sample = 0; sample < Samples; sample++)
                {
                    squares += (a.Sums[sample] + b.Sums[sample]) * (a.Sums[sample] + b.Sums[sample]);
                }

                return ((1 - shrinkage) * squares / Samples) + (shrinkage * (a.Diagonal + b.Diagonal));
            }
        }

        /// <summary>What a configuration of one sub-graph gains, the sums of the changes of the loss by sample, and the sum of the loss MSE of its layers.</summary>
        private (double Gain, double[] Sums, double Diagonal) Losses(int subgraph, Configuration configuration)
        {
            double[] own = [.. configuration.Formats.Select((f, layer) => losses[subgraph, layer, Array.IndexOf(Names, f)])];
            double[][] signs = [.. own.Select((loss, layer) => Signs(subgraph, layer, loss))];
            return (Gain(configuration).Low, [.. Enumerable.Range(0, Samples).Select(sample => signs.Sum(s => s[sample]))], own.Sum());
        }

        /// <summary>Changes of the loss by sample, with a sign that differs from layer to layer.</summary>
        private static double[] Signs(int subgraph, int layer, double loss) =>
            [.. Enumerable.Range(0, Samples).Select(sample => Math.Sqrt(loss) * ((((sample >> (layer % 2)) + subgraph + (layer / 2)) & 1) == 0 ? 1 : -1))];

        private IEnumerable<Configuration> All(int subgraph)
        {
            IEnumerable<string[]> formats = Enumerable.Range(0, (int)Math.Pow(Names.Length, LayerCount))
                .Select(number => Enumerable.Range(0, LayerCount).Select(l => Names[number / (int)Math.Pow(Names.Length, l) % Names.Length]).ToArray());
            return formats.SelectMany(own => structures.Where(s => s.Fixed.All(f => own[int.Parse(f.Key, System.Globalization.CultureInfo.InvariantCulture)] == f.Value))
                .Select(s => new Configuration(s.Name, own)).Prepend(Configuration.Exported(own)));
        }

        private Gain Gain(Configuration configuration)
        {
            int[] formats = [.. configuration.Formats.Select(f => Array.IndexOf(Names, f))];
            var structure = structures.FirstOrDefault(s => s.Name == configuration.Structure);
            int[] free = [.. Enumerable.Range(0, LayerCount).Where(l => structure.Fixed?.ContainsKey($"{l}") != true)];
            double gain = structure.Gain + free.Sum(l => alone[l, formats[l]])
                + free.GroupBy(l => formats[l]).Where(g => g.Key > 0).Sum(g => (g.Count() - 1) * together[g.Key]);
            return configuration.Changes("fp32") ? new Gain(gain - 0.05, gain, gain + 0.05) : MixedPrecision.Pipeline.Gain.None;
        }
    }
}
