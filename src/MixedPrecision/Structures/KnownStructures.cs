namespace MixedPrecision.Structures;

/// <summary>The table of structures. A structure is one file and one line here.</summary>
public static class KnownStructures
{
    public static readonly IReadOnlyList<Structure> All =
        [GroupQueryAttention.Tiled, GroupQueryAttention.Naive, QuantizedAttention.Structure, JoinedAttention.Structure, MultiHeadAttention.Structure, FusedOperators.Structure];

    /// <summary>The structures that a sub-graph may have besides the exported one: those that stand within what is timed of it.</summary>
    public static IReadOnlyList<FoundStructure> Find(StructureSite site)
    {
        HashSet<string> computed = [.. site.Subgraph.Timed.SelectMany(n => site.Partition.View.Nodes[n].Output)];
        return [.. All.Select(s => (Structure: s, Match: s.Match(site))).Where(s => s.Match is { } match && match.Outputs.All(computed.Contains))
            .Select(s => s.Structure == FusedOperators.Structure ? new FoundStructure(s.Structure, s.Match!)
                : new FoundStructure(s.Structure with { Version = s.Structure.Version + FusedOperators.Version }, FusedOperators.Complete(site, s.Match!)))];
    }
}
