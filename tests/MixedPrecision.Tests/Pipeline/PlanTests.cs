using MixedPrecision.Caching;
using MixedPrecision.Calibration;
using MixedPrecision.Partitioning;
using MixedPrecision.Pipeline;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>The pipeline's plan against all configurations of the model, each judged from sensitivities and gains by the definitions alone.</summary>
public class PlanTests
{
    /// <summary>Parts of all configurations, by their predicted loss, that the budgets allow.</summary>
    private static readonly double[] Parts = [0, 0.02, 0.1, 0.3, 0.6, 0.9, 1];

    [Theory]
    [InlineData("time")]
    [InlineData("memory")]
    [InlineData("theoretical-time")]
    public void ThePlanIsTheBestOfAllConfigurations(string objective)
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", $"objective: {objective}\nformats: [int8-dynamic, int8-weight, int4-weight]");
        var runner = new StageRunner(new ContentStore(folder["cache"]), new RunLog(folder.Options()));
        using Materials materials = Materials.Open(folder.PolicyFile, folder.Options(), runner);
        Sensitivities sensitivities = Steps.Calibrate(materials, runner);
        var measuring = new Measuring(materials, runner);
        var input = new PlanningInput(materials.Workspace.Partition, materials.Allowed, sensitivities);
        Gains gains = measuring.Add(Gains.Empty, Measuring.First(input.Partition, input.Allowed, input.Structures));
        double[] losses = [.. All(input, gains).Select(c => c.Loss).Order()];
        Assert.True(losses.Length == 64, "three layers of four formats");
        var plans = new HashSet<string>();
        foreach (double part in Parts)
        {
            // Between two configurations, so that no rounding decides whether one is within the budget.
            int last = (int)(part * (losses.Length - 1));
            double budget = last == losses.Length - 1 ? losses[last] * 2 : (losses[last] + losses[last + 1]) / 2;
            (Plan plan, gains) = Planner.Plan(input, gains, budget, Steps.Planning(runner, measuring));
            Assert.Equal(SolverStatus.Optimal, plan.Status);

            // Solving may have measured more configurations: they are judged by the gains that the plan was made with.
            (string[] Formats, double Gain, double Loss)[] all = [.. All(input, gains)];
            string[] formats = [.. plan.Formats.SelectMany(f => f)];
            (_, double gain, double loss) = all.Single(c => c.Formats.SequenceEqual(formats));
            Assert.Equal(gain, plan.Gain, 1e-9 * Math.Max(1, Math.Abs(gain)));
            Assert.Equal(loss, plan.Loss, 1e-9 * budget);
            Assert.True(loss <= budget, $"{loss} of {budget}");
            double rounding = plan.RoundingRelative * all.Max(c => c.Gain);
            double best = all.Where(c => c.Loss <= budget).Max(c => c.Gain);
            Assert.True(gain >= best - (2 * rounding), $"{gain} where {best} is within {budget}");
            plans.Add(string.Join(' ', formats));
        }

        // The bytes of the formats all differ, so that budgets must lead to different plans.
        Assert.True(objective != "memory" || plans.Count > 3, string.Join(", ", plans));
    }

    /// <summary>Every configuration whose layers can run, with its gain and P.</summary>
    private static IEnumerable<(string[] Formats, double Gain, double Loss)> All(PlanningInput input, Gains gains)
    {
        IReadOnlyList<Subgraph> subgraphs = input.Partition.Subgraphs;
        Sensitivities sensitivities = input.Sensitivities;
        string[][] offered = [.. subgraphs.SelectMany(s => s.Layers.Select((layer, i) => input.Allowed[layer.Name].Formats
            .Where(f => f == "fp32" || gains.Find(Problems.Alone(s, i, f)) is not null).ToArray()))];
        var layers = subgraphs.SelectMany(s => s.Layers).Select(l => sensitivities.Layers.Single(found => found.Name == l.Name)).ToList();
        double shrinkage = Shrinkage.Estimate([.. layers.Zip(offered, (l, formats) => formats.Where(f => f != "fp32").Select(f => l.Formats[f].Deltas)).SelectMany(d => d)]);
        foreach (string[] plan in Combinations(offered))
        {
            FormatSensitivity[] changed = [.. plan.Index().Where(f => f.Item != "fp32").Select(f => layers[f.Index].Formats[f.Item])];
            double first = Enumerable.Range(0, sensitivities.Samples).Average(sample => Math.Pow(changed.Sum(c => c.Deltas[sample]), 2));
            double diagonal = changed.Sum(c => c.Deltas.Average(d => d * d));
            double loss = ((1 - shrinkage) * first) + (shrinkage * diagonal) + Math.Pow(changed.Sum(c => c.Rise), 2);
            double gain = 0;
            int next = 0;
            foreach (Subgraph subgraph in subgraphs)
            {
                gain += gains.Of(new SubgraphConfiguration(subgraph, Configuration.Exported(plan[next..(next += subgraph.Layers.Count)]))).Low;
            }

            yield return (plan, gain, loss);
        }
    }

    private static IEnumerable<string[]> Combinations(string[][] offered) => offered.Aggregate(
        Enumerable.Repeat(Array.Empty<string>(), 1), (plans, formats) => plans.SelectMany(plan => formats.Select(f => plan.Append(f).ToArray())));
}
