using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Structures;

/// <summary>
/// x / √(mean x² + ε) · w over the last axis in ONNX Runtime's SimplifiedLayerNormalization, for the ways to write it that the runtime does not fuse by itself: x·x in place of a power, a reciprocal
/// root, sums in place of means, factors and ε elsewhere, a norm in place of the root. Read forwards from the reduction; proven by what each value is, up to a factor.
/// </summary>
internal static class RmsNormalization
{
    public static readonly Kernel Kernel = new("SimplifiedLayerNormalization");

    public static IEnumerable<Rewrite> Find(StructureSite site)
    {
        var reader = new AttentionReader(site.Model, site.Partition.View, site.Types);
        return site.Subgraph.Timed.Select(n => At(reader, reader.View.Nodes[n])).OfType<Rewrite>();
    }

    /// <summary>The normalization that begins with a reduction, or null.</summary>
    private static Rewrite? At(AttentionReader reader, NodeProto node)
    {
        RmsState? state = RmsState.Begun(reader, node), normal = null;
        while (state is not null)
        {
            normal = state.Stage == RmsStage.Normal ? state : null;
            state = state.Next(reader);
        }

        if (normal is null || normal.IsFusedAnyway || reader.Shapes.Of(normal.Value)?.SequenceEqual(reader.Shapes.Of(normal.X)!) != true)
        {
            return null;
        }

        return new Rewrite(normal.Value, Kernel, e => e.Builder.NodeTo(
            [normal.Value], "SimplifiedLayerNormalization", "", [normal.X, e.Constant(normal.Weight(), "weight")],
            Attributes.Of("axis", -1), Attributes.Of("epsilon", (float)normal.Epsilon), Attributes.Of("stash_type", 1)));
    }
}
