using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>
/// com.microsoft's GroupQueryAttention in place of attention that is written out (heads, rotation by position, keys and values of rows before, repeated heads, mask, softmax) or that is ONNX's own.
/// <para>
/// Proven: sizes, as formulas; one scale; the halves of the rotary tables are equal; the mask is <see cref="CausalMask"/> for all sizes. A mask that is not, such as one of padding, is added
/// to the scores as the model does, with all rows in sight.
/// </para>
/// The kernel has a path that works in tiles and leaves out what the mask hides, and one that makes whole matrices of scores, faster for few rows: two structures.
/// </summary>
public static class GroupQueryAttention
{
    public static readonly Structure Tiled = new(StructureNames.GroupQueryAttention, 1, site => Match(site, isTiled: true));

    public static readonly Structure Naive = new(StructureNames.GroupQueryAttentionNaive, 1, site => Match(site, isTiled: false));

    private static readonly Kernel Kernel = new("com.microsoft.GroupQueryAttention");

    private static StructureMatch? Match(StructureSite site, bool isTiled)
    {
        var reader = new AttentionReader(site.Model, site.Partition.View, site.Types);
        HashSet<int> own = [.. site.Subgraph.Nodes];
        GroupQueryPlan[] found = [.. site.Subgraph.Nodes
            .Select(n => reader.View.Nodes[n].Operator() switch { "Softmax" => Attention.Around(reader, n), "Attention" => AttentionOperator.At(reader, n), _ => null })
            .Where(a => a is not null && own.Contains(a.Scores) && own.Contains(a.Mixed) && own.Contains(reader.View.Producer(a.Output)!.Value))
            .Select(a => GroupQueryPlan.Of(reader, a!, own)).OfType<GroupQueryPlan>()];
        if (found.Length == 0)
        {
            return null;
        }

        HashSet<int> absorbed = [.. found.SelectMany(p => new[] { p.Attention.Scores, p.Attention.Mixed })];
        return new StructureMatch(
            site.Subgraph.Layers.Where(l => absorbed.Contains(l.Node)).ToDictionary(l => l.Name, _ => FormatFamilies.Baseline),
            [.. found.SelectMany(p => p.Outputs)],
            [.. found.Select(_ => Kernel)],
            emission => Array.ForEach(found, plan => GroupQueryEmission.Write(reader, plan, emission, isTiled)));
    }
}
