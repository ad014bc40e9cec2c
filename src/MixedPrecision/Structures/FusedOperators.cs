using MixedPrecision.Formats;
using MixedPrecision.Policies;

namespace MixedPrecision.Structures;

/// <summary>
/// Other operators of the runtime in place of a few nodes each, all that are found in a sub-graph at once: none is slower than what it replaces, and none absorbs a layer. Other structures are written with those that stand outside of what they replace themselves, so the choices do not multiply.
/// </summary>
internal static class FusedOperators
{
    /// <summary>Raised when what a rewrite emits changes; enters the versions of all structures, since it is part of what they emit.</summary>
    public const int Version = 3;

    public static readonly Structure Structure = new(StructureNames.Fused, Version, Match);

    private static StructureMatch? Match(StructureSite site) => Find(site) is { Count: > 0 } found ? With(new StructureMatch(new Dictionary<string, string>(), [], [], _ => { }), found) : null;

    /// <summary>A structure with the rewrites of what it leaves.</summary>
    public static StructureMatch Complete(StructureSite site, StructureMatch match)
    {
        IReadOnlySet<string> replaced = new GraphWalk(site).Dropped([.. match.Outputs]);
        return With(match, [.. Find(site).Where(r => !replaced.Contains(r.Output))]);
    }

    private static IReadOnlyList<Rewrite> Find(StructureSite site) =>
    [
        .. RotaryRewrite.Find(site), .. RmsNormalization.Find(site), .. ResidualSum.Find(site),
        .. HardSigmoidRewrite.Find(site), .. AffineNormalization.Find(site), .. SpatialMean.Find(site), .. SlopedRelu.Find(site),
    ];

    private static StructureMatch With(StructureMatch match, IReadOnlyList<Rewrite> rewrites) => match with
    {
        Outputs = [.. match.Outputs, .. rewrites.Select(r => r.Output)],
        Kernels = [.. match.Kernels, .. rewrites.Select(r => r.Kernel).OfType<Kernel>()],
        Emit = emission =>
        {
            match.Emit(emission);
            foreach (Rewrite rewrite in rewrites)
            {
                rewrite.Emit(emission);
            }
        },
    };
}
