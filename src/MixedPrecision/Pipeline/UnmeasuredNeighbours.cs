using MixedPrecision.Partitioning;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>
/// What the search would ask for next: configurations that differ in one layer from one that it has to measure, and may gain more than the best that was. Timed in the same run, they cost less than by themselves,
/// and save a program each.
/// </summary>
internal static class UnmeasuredNeighbours
{
    /// <summary>Those added to one configuration, at most.</summary>
    private const int Most = 3;

    /// <param name="open">Configurations that are to be measured, of all sub-graphs that share their timings.</param>
    public static IEnumerable<SubgraphConfiguration> Of(PlanningInput input, Gains gains, IReadOnlyList<SubgraphConfiguration> open)
    {
        foreach (IGrouping<string, SubgraphConfiguration> own in open.GroupBy(o => o.Subgraph.Fingerprint))
        {
            Subgraph subgraph = own.First().Subgraph;
            var bounds = new GainBounds(subgraph, gains, input.Floor, Unmeasured.Optimistic);
            IReadOnlyList<FoundStructure> structures = input.Structures(subgraph);
            double best = gains.Of(subgraph).Select(g => g.Gain.Centre).DefaultIfEmpty(0).Max();
            IEnumerable<SubgraphConfiguration> near = own.Where(o => o.Subgraph == subgraph).SelectMany(o => Exchanges(input, o)).Distinct()
                .Where(c => !gains.Knows(c) && !open.Contains(c) && input.Allows(c) && Fits(c))
                .Select(c => (Configuration: c, Gain: bounds.Of(c.Configuration, StructureOf(c)))).Where(c => c.Gain > best)
                .OrderByDescending(c => c.Gain).Take(Most).Select(c => c.Configuration);
            foreach (SubgraphConfiguration configuration in near.SelectMany(input.OfEqual))
            {
                yield return configuration;
            }

            FoundStructure? StructureOf(SubgraphConfiguration c) => structures.FirstOrDefault(s => s.Structure.Name == c.Configuration.Structure);

            bool Fits(SubgraphConfiguration c) => c.Configuration.Changes(Problems.Baseline)
                && (StructureOf(c) is not { } structure || subgraph.Layers.Zip(c.Configuration.Formats).All(l => structure.Match.Fixed.GetValueOrDefault(l.First.Name, l.Second) == l.Second));
        }
    }

    private static IEnumerable<SubgraphConfiguration> Exchanges(PlanningInput input, SubgraphConfiguration configuration) =>
        configuration.Subgraph.Layers.SelectMany((layer, i) => input.Allowed[layer.Name].Formats.Select(format => configuration with
        {
            Configuration = configuration.Configuration with { Formats = [.. configuration.Configuration.Formats.Select((f, l) => l == i ? format : f)] },
        }));
}
