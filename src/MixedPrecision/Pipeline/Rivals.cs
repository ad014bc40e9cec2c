using MixedPrecision.Partitioning;
using MixedPrecision.Solving;

namespace MixedPrecision.Pipeline;

/// <summary>
/// What a plan uses, and what comes so near it that single timings do not tell them apart. A program picks what was measured too fast, the more surely the more there is to pick from;
/// measured again together, in one run and more exactly, the order is right.
/// </summary>
internal static class Rivals
{
    /// <summary>Configurations of a sub-graph that are timed together: more share the time of one run.</summary>
    private const int MostTogether = 4;

    /// <summary>
    /// Of each structure of sub-graphs whose choice may matter: what the plan uses and was not compared yet, with those of greatest gain that may be as fast. Empty when all was compared.
    /// Sub-graphs that are equal share their timings.
    /// </summary>
    /// <param name="matter">A difference of the plan's gain that is worth finding out.</param>
    /// <param name="compared">Those that were compared.</param>
    public static IReadOnlyList<SubgraphConfiguration> Of(PlanningInput input, Gains gains, Plan plan, double matter, IReadOnlySet<SubgraphConfiguration> compared)
    {
        var rivals = new List<SubgraphConfiguration>();
        foreach (Subgraph[] equal in input.Partition.Subgraphs.GroupBy(s => s.Fingerprint).Select(g => g.ToArray()))
        {
            SubgraphConfiguration[] used = [.. equal.Select(s => new SubgraphConfiguration(equal[0], plan.Configurations[s.Index])).Distinct()];
            (SubgraphConfiguration Configuration, Gain Gain)[] known = [.. gains.Of(equal[0]).Select(g => (new SubgraphConfiguration(equal[0], g.Configuration), g.Gain))];
            double least = used.Min(u => gains.Find(u)?.Low ?? 0);
            SubgraphConfiguration[] near = [.. known.Where(k => (k.Gain.High - least) * equal.Length > matter && input.Allows(k.Configuration)).OrderByDescending(k => k.Gain.Centre).Select(k => k.Configuration)];
            SubgraphConfiguration[] open = [.. used.Where(u => u.Configuration.Changes(Problems.Baseline) && !compared.Contains(u))];
            if (open.Length == 0 || near.Except(used).FirstOrDefault() is null)
            {
                continue;
            }

            SubgraphConfiguration[] together = [.. open.Concat(near).Distinct().Where(c => !compared.Contains(c)).Take(Math.Max(open.Length, MostTogether))];
            rivals.AddRange(together.SelectMany(input.OfEqual));
        }

        return rivals;
    }
}
