using MixedPrecision.Onnx;

namespace MixedPrecision.Quantization;

/// <summary>
/// Keeps convolutions in float that a plan leaves in float: where one reads what was held in 8 bits and its result is rounded to them again, ONNX Runtime (1.31, WeightBiasQuantization) rounds its weight by itself, with one scale for all
/// channels, which no plan has judged. An activation between them that rounding does not absorb stops that, and runs within the convolution: LeakyRelu with the slope 1, which changes nothing, or in place of a Relu with the slope 0.
/// </summary>
internal static class FloatGuard
{
    /// <param name="nodes">The nodes of a graph that is being rewritten.</param>
    /// <param name="builder">Has what formats added, and takes more: what the model itself holds in 8 bits is none of ours.</param>
    /// <param name="outputs">What the convolutions give that stay in float.</param>
    public static void Apply(List<NodeProto> nodes, GraphBuilder builder, IReadOnlySet<string> outputs)
    {
        HashSet<string> read = [.. builder.Nodes.Where(n => n.OpType == "DequantizeLinear").Select(n => n.Output[0])];
        if (read.Count == 0 || outputs.Count == 0)
        {
            return;
        }

        ILookup<string, NodeProto> readers = nodes.SelectMany(n => n.Input.Distinct().Select(i => (Value: i, Node: n))).ToLookup(r => r.Value, r => r.Node);
        foreach (NodeProto node in nodes.Where(n => n.Output.Count > 0 && outputs.Contains(n.Output[0]) && read.Contains(n.Input[0])).ToArray())
        {
            NodeProto[] next = [.. readers[node.Output[0]]];
            if (next is [{ OpType: "Relu" } relu] && IsRounded(readers[relu.Output[0]]))
            {
                relu.OpType = "LeakyRelu";
                relu.Attribute.Add(Attributes.Of("alpha", 0f));
            }
            else if (IsRounded(next) || (next is [{ OpType: "Clip" } clip] && IsRounded(readers[clip.Output[0]])))
            {
                string given = node.Output[0];
                node.Output[0] = builder.Fresh(given);
                int first = builder.Nodes.Count;
                builder.NodeTo([given], "LeakyRelu", "", [node.Output[0]], Attributes.Of("alpha", 1f));
                nodes.InsertRange(nodes.IndexOf(node) + 1, builder.Nodes.Skip(first));
            }
        }
    }

    private static bool IsRounded(IEnumerable<NodeProto> readers) => readers.Any(n => n.OpType == "QuantizeLinear");
}
