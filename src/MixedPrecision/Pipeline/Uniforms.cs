using MixedPrecision.Policies;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>What a plan has to beat: uniform configurations, one format for all layers that may take it, and itself with more fused operators.</summary>
internal static class Uniforms
{
    /// <summary>Those are tried whose predicted time is at most this much above the plan's.</summary>
    private const double NearInTime = 1.1;

    /// <summary>And whose predicted loss error is at most so many times that which was solved for: predictions are wrong by less.</summary>
    private const double NearInLoss = 3;

    /// <summary>
    /// Operators fused wherever a sub-graph stands as exported and they are known to run: in the plan, since each may gain too little to be told from zero, and in the original, since what formats gain in single sub-graphs may be lost between
    /// them. They lose nothing; of all of them the file tells.
    /// </summary>
    public static IEnumerable<NamedPlan> Fused(PlanningInput input, Gains gains, Attempt met)
    {
        SolverProblem problem = input.Problem(gains, input.LossBudget(met.Tau));
        List<IReadOnlyList<Configuration>> known = [met.Plan.Configurations, input.RulesAlone];
        foreach ((string name, IReadOnlyList<Configuration> from) in new[] { ("plan, fused", met.Plan.Configurations), ("fused", input.RulesAlone) })
        {
            Configuration[] fused = [.. input.Partition.Subgraphs.Select(s => from[s.Index] is var own
                && own.Structure == Structure.Exported && input.Structures(s).Any(f => f.Structure.Name == StructureNames.Fused)
                && new SubgraphConfiguration(s, own with { Structure = StructureNames.Fused }) is var candidate && gains.Find(candidate) is not null ? candidate.Configuration : own)];
            if (!known.Any(k => k.SequenceEqual(fused)))
            {
                known.Add(fused);
                yield return new NamedPlan(name, Strategies.Of(problem, fused));
            }
        }
    }

    /// <summary>The uniform configurations that might be within the budget and as fast as the plan, by what is predicted of them; those that hold values in 8 bits whatever is predicted of their time. The plan itself is none.</summary>
    /// <param name="met">The plan.</param>
    /// <param name="formats">The formats that the policy names.</param>
    public static IReadOnlyList<NamedPlan> Near(PlanningInput input, Gains gains, Attempt met, IReadOnlyList<string> formats)
    {
        SolverProblem problem = input.Problem(gains, input.LossBudget(met.Tau));
        double slowest = (gains.OriginalMilliseconds - gains.Sum(input.Partition, met.Plan.Configurations).Centre) * NearInTime;
        double mostLoss = Math.Max(problem.LossBudget, met.Plan.Loss) * NearInLoss * NearInLoss;
        var found = new List<NamedPlan>();
        foreach (string format in formats.Where(f => f != Problems.Baseline))
        {
            IReadOnlyList<Configuration> uniform = input.Uniform(format);
            bool isIt = uniform.SelectMany(c => c.Formats).Contains(format) && !found.Select(f => f.Plan).Append(met.Plan).Any(p => p.Configurations.SequenceEqual(uniform));
            bool runs = input.Partition.Subgraphs.Select(s => new SubgraphConfiguration(s, uniform[s.Index])).All(c => !gains.Knows(c) || gains.Find(c) is not null);
            // What held values gain depends on all that surrounds them: of such formats the file tells, not the prediction.
            if (isIt && runs && (Formats.NumberFormats.Get(format).ReadsRanges || gains.OriginalMilliseconds - gains.Sum(input.Partition, uniform).Centre <= slowest)
                && Strategies.Of(problem, uniform) is var plan && plan.Loss <= mostLoss)
            {
                found.Add(new NamedPlan($"uniform {format}", plan));
            }
        }

        return found;
    }
}
