using MixedPrecision.Onnx;

namespace MixedPrecision.Structures;

/// <summary>GlobalAveragePool in place of a ReduceMean over both axes of images: it reads the blocked layout of convolutions.</summary>
internal static class SpatialMean
{
    public static IEnumerable<Rewrite> Find(StructureSite site)
    {
        var reader = new AttentionReader(site.Model, site.Partition.View, site.Types);
        return site.Subgraph.Timed.Select(n => reader.View.Nodes[n]).Where(n => n.Operator() == "ReduceMean" && IsOfImages(reader, n))
            .Select(n => new Rewrite(n.Output[0], null, e => e.Builder.NodeTo([n.Output[0]], "GlobalAveragePool", "", [n.Input[0]])));
    }

    private static bool IsOfImages(AttentionReader reader, NodeProto node) =>
        node.Int("keepdims", 1) == 1 && reader.Shape(node.Input[0], 4) is not null && reader.Types.TryGetValue(node.Input[0], out TensorType? type) && type.ElementType == ElementType.Float
        && (node.Ints("axes") ?? (node.Input.Count > 1 && node.Input[1].Length > 0 ? reader.Shapes.Constants(node.Input[1]) : null))?.Select(a => a < 0 ? a + 4 : a).Order().ToArray() is [2, 3]
        && (node.Input.Count < 2 || !Partitioning.Region.StoredConstants(reader.View, node.Input[1]).Any(reader.Model.Defaults.Contains));
}
