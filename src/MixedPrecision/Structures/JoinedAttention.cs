using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Structures;

/// <summary>
/// Projections of one input to queries, keys and values, and the attention between them, in one kernel in float (com.microsoft.Attention). Each head's projections lie where the
/// products read them, so nothing is transposed.
/// </summary>
internal static class JoinedAttention
{
    public static readonly Structure Structure = new(StructureNames.Attention, 1, Match);

    /// <summary>What is put together in memory takes no more than 2 GB.</summary>
    private const long MostWeights = (1L << 31) / sizeof(float) - 1;

    private static StructureMatch? Match(StructureSite site) =>
        ProjectedAttention.Find(site, NumberFormats.Baseline) is { } found && 3L * found.Size * site.Sites[found.Projections[0].Layer].InputSize <= MostWeights
            ? new StructureMatch(found.Fixed, [found.Attention.Output], [new Kernel("com.microsoft.Attention")], e => Emit(e, site, found))
            : null;

    private static void Emit(StructureEmission e, StructureSite site, ProjectedAttention found)
    {
        string weight = e.Constant(Weights(site, found), $"{found.Projections[0].Layer}/attention/weight");
        string[] mask = found.Padding is { } padding ? [padding.Emit(e)] : [];
        string rows = found.Projections[0].Apart(e, found.Projections[0].InputOf(e), site.Sites[found.Projections[0].Layer].InputSize);
        found.Attention.Write(e, "Attention", [rows, weight, found.Bias(e), .. mask], found.Attributes, found.Padding, site.Model.Opset);
    }

    /// <summary>The weights of queries, keys and values side by side, [inputs, 3 · heads · head size].</summary>
    private static Tensor Weights(StructureSite site, ProjectedAttention found)
    {
        int outputs = 3 * found.Size, inputs = site.Sites[found.Projections[0].Layer].InputSize;
        var weights = new float[(long)inputs * outputs];
        for (int part = 0; part < 3; part++)
        {
            Projection projection = found.Projections[part];
            LayerSite layer = site.Sites[projection.Layer];
            int first = part * found.Size;
            layer.ForEachColumn(Partitioning.Weights.Read(site.Model, site.Partition.View, layer.Layer.Weight)!, (column, values) =>
            {
                for (int row = 0; row < values.Length && column >= projection.First && column < projection.First + found.Size; row++)
                {
                    weights[((long)row * outputs) + first + column - projection.First] = values[row];
                }
            });
        }

        return Tensor.Of<float>(weights, inputs, outputs);
    }
}
