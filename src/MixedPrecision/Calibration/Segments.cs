using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Calibration;

/// <summary>What calibration runs at a time: one sub-graph of a large model, or all of a small one.</summary>
/// <param name="Nodes">Its nodes in topological order, constants included.</param>
/// <param name="Sites">Its layers.</param>
/// <param name="IsWhole">Whether it is the whole model.</param>
internal sealed record Segment(IReadOnlyList<int> Nodes, IReadOnlyList<LayerSite> Sites, bool IsWhole)
{
    /// <summary>Bytes of a model's weights, and of its values as far as their sizes are known.</summary>
    /// <param name="types">Types of its values, with the sizes of the calibration data where these agree.</param>
    public static long ModelBytes(OnnxModel model, GraphView view, IReadOnlyDictionary<string, TensorType> types)
    {
        long weights = model.Graph.Initializer.Sum(i => Bytes(i.DataType, i.Dims));
        long values = view.Nodes.SelectMany(n => n.Output)
            .Sum(o => types.TryGetValue(o, out TensorType? type) && type.StaticShape() is { } shape ? Bytes(type.ElementType, shape) : 0);
        return weights + values;
    }

    /// <summary>The segments of a model, in order.</summary>
    public static IReadOnlyList<Segment> Of(Partition partition, IReadOnlyDictionary<string, LayerSite> sites, bool isSmall)
    {
        LayerSite[] SitesOf(IEnumerable<Layer> layers) => [.. layers.Select(l => sites[l.Name])];
        return isSmall
            ? [new Segment([.. Enumerable.Range(0, partition.View.Nodes.Count)], SitesOf(partition.Layers), true)]
            : [.. partition.Subgraphs.Select(s => new Segment(s.Nodes, SitesOf(s.Layers), false))];
    }

    private static long Bytes(int elementType, IEnumerable<long> shape) =>
        ElementType.BitsOf(elementType) == 0 ? 0 : Tensor.ByteCount(elementType, [.. shape]);
}
