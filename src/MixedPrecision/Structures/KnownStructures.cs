namespace MixedPrecision.Structures;

/// <summary>The table of structures. A structure is one file and one line here.</summary>
public static class KnownStructures
{
    public static readonly IReadOnlyList<Structure> All =
        [GroupQueryAttention.Tiled, GroupQueryAttention.Naive, QuantizedAttention.Structure, JoinedAttention.Structure, MultiHeadAttention.Structure];

    /// <summary>The structures that a sub-graph may have besides the exported one.</summary>
    public static IReadOnlyList<FoundStructure> Find(StructureSite site) =>
        [.. All.Select(s => (Structure: s, Match: s.Match(site))).Where(s => s.Match is not null).Select(s => new FoundStructure(s.Structure, s.Match!))];
}
