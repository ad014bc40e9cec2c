using MixedPrecision.Onnx;

namespace MixedPrecision.Quantization;

/// <summary>
/// Keeps convolutions in float that a plan leaves in float: where one reads what was held in 8 bits and its result is rounded to them again, ONNX Runtime (1.31, WeightBiasQuantization) rounds its weight by itself, with one scale for all
/// channels, which no plan has judged. An activation between them that rounding does not absorb stops that, and runs within the convolution: LeakyRelu with the slope 1, which changes nothing, or in place of a Relu with the slope 0.
/// The same keeps rounding behind a MaxPool of floats: the runtime moves it in front, and MaxPool of 8 bits with channels first takes more than ten times as long.
/// </summary>
internal static class FloatGuard
{
    /// <param name="nodes">The nodes of a graph that is being rewritten.</param>
    /// <param name="builder">Has what formats added, and takes more: what the model itself holds in 8 bits is none of ours.</param>
    /// <param name="outputs">What the convolutions give that stay in float.</param>
    public static void Apply(List<NodeProto> nodes, GraphBuilder builder, IReadOnlySet<string> outputs)
    {
        HashSet<string> read = [.. builder.Nodes.Where(n => n.OpType == "DequantizeLinear").Select(n => n.Output[0])];
        Dictionary<string, NodeProto> makers = ValueReaders.ProducersOf(nodes);
        NodeProto[] pools = [.. nodes.Where(n => n.OpType == "MaxPool" && !IsInIntegers(n.Input[0], makers, read))];
        foreach (NodeProto rounding in builder.Nodes.Where(n => n.OpType == "QuantizeLinear" && pools.Any(p => p.Output[0] == n.Input[0])).ToArray())
        {
            rounding.Input[0] = Insert(nodes, builder, nodes.IndexOf(rounding), rounding.Input[0], null);
        }

        ILookup<string, NodeProto> readers = ValueReaders.ReadersOf(nodes);
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
                Insert(nodes, builder, nodes.IndexOf(node) + 1, node.Output[0], given);
            }
        }
    }

    /// <summary>Whether a value was rounded, or is computed from such values alone by an operator that takes integers.</summary>
    private static bool IsInIntegers(string value, Dictionary<string, NodeProto> makers, HashSet<string> read) => read.Contains(value) || (makers.TryGetValue(value, out NodeProto? maker)
        && (maker.OpType is "Relu" or "Clip" ? IsInIntegers(maker.Input[0], makers, read) : maker.OpType is "Add" or "Mul" or "Concat" or "AveragePool" && maker.Input.All(read.Contains)));

    /// <summary>Puts an activation that changes nothing in front of a node.</summary>
    /// <returns>What it gives.</returns>
    private static string Insert(List<NodeProto> nodes, GraphBuilder builder, int place, string value, string? given)
    {
        given ??= builder.Fresh(value);
        int first = builder.Nodes.Count;
        builder.NodeTo([given], "LeakyRelu", "", [value], Attributes.Of("alpha", 1f));
        nodes.InsertRange(place, builder.Nodes.Skip(first));
        return given;
    }

    private static bool IsRounded(IEnumerable<NodeProto> readers) => readers.Any(n => n.OpType == "QuantizeLinear");
}
