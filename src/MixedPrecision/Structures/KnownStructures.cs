namespace MixedPrecision.Structures;

/// <summary>The table of structures. A structure is one file and one line here.</summary>
public static class KnownStructures
{
    public static readonly IReadOnlyList<Structure> All = [];
}
