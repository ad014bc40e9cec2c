using MixedPrecision.Formats;

namespace MixedPrecision.Structures;

/// <summary>What was found of a structure in a sub-graph, as it is kept: all but how it is written.</summary>
/// <param name="Name">See <see cref="Structure"/>.</param>
/// <param name="Version">See <see cref="Structure"/>.</param>
/// <param name="Fixed">See <see cref="StructureMatch"/>.</param>
/// <param name="Outputs">See <see cref="StructureMatch"/>.</param>
/// <param name="Kernels">See <see cref="StructureMatch"/>.</param>
public sealed record StructureFinding(string Name, int Version, IReadOnlyDictionary<string, string> Fixed, IReadOnlyList<string> Outputs, IReadOnlyList<Kernel> Kernels)
{
    public static StructureFinding Of(FoundStructure found) => new(found.Structure.Name, found.Structure.Version, found.Match.Fixed, found.Match.Outputs, found.Match.Kernels);

    /// <summary>The structure as it was found.</summary>
    /// <param name="again">Finds it again, to write it.</param>
    public FoundStructure Known(Func<FoundStructure> again) => new(
        KnownStructures.All.Single(s => s.Name == Name) with { Version = Version }, new StructureMatch(Fixed, Outputs, Kernels, emission => again().Match.Emit(emission)));
}
