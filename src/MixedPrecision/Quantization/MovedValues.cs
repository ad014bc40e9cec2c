using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Quantization;

/// <summary>
/// Hands values that are held in 8 bits on through what only moves their elements: these lie on the same steps still, so that rounding them once more, in the same range, loses nothing. An operator between layers that reads such a value then has
/// integers on all sides, as the runtime needs it to compute in them; the move itself is made in integers too.
/// </summary>
internal static class MovedValues
{
    /// <param name="nodes">The nodes of a graph that is being rewritten; further ones stand behind their readers.</param>
    /// <param name="builder">Has what formats added, and takes more.</param>
    /// <returns>Whether nodes were added.</returns>
    public static bool HandOn(List<NodeProto> nodes, GraphBuilder builder)
    {
        Dictionary<string, NodeProto> makers = ValueReaders.ProducersOf(nodes);
        HashSet<string> rounded = [.. builder.Nodes.Where(n => n.OpType == "QuantizeLinear").Select(n => n.Input[0])];
        HashSet<NodeProto> read = new(builder.Nodes.Where(n => n.OpType == "DequantizeLinear"), ReferenceEqualityComparer.Instance);
        ILookup<string, NodeProto> readers = ValueReaders.ReadersOf(nodes);
        var handedOn = new Dictionary<string, string>();
        int first = builder.Nodes.Count;
        foreach (NodeProto node in nodes.Where(n => n.Operator() is "Add" or "Mul" or "Concat" && IsRounded(n.Output[0])))
        {
            NodeProto?[] sources = [.. node.Input.Select(SourceOf)];
            if (sources.Contains(null))
            {
                continue;
            }

            for (int input = 0; input < sources.Length; input++)
            {
                string value = node.Input[input];
                NodeProto source = sources[input]!;
                if (makers[value] == source)
                {
                    continue;
                }

                if (!handedOn.TryGetValue(value, out string? again))
                {
                    string[] range = [source.Input[1], source.Input[2]];
                    handedOn.Add(value, again = builder.Node("DequantizeLinear", [builder.Node("QuantizeLinear", [value, .. range]), .. range]));
                }

                node.Input[input] = again;
            }
        }

        nodes.AddRange(builder.Nodes.Skip(first));
        return builder.Nodes.Count > first;

        // By itself, or behind an activation that rounding absorbs.
        bool IsRounded(string value) => rounded.Contains(value) || readers[value] is { } next && next.Count() == 1 && next.First() is { OpType: "Relu" or "Clip" } cut && rounded.Contains(cut.Output[0]);

        // The node that reads integers and gives the elements of a value, or null. A MaxPool may take integers only with channels last, which is not known here.
        NodeProto? SourceOf(string value)
        {
            while (makers.TryGetValue(value, out NodeProto? maker) && !read.Contains(maker) && maker.OpType != "MaxPool" && StaticValues.Moves(maker))
            {
                value = maker.Input[0];
            }

            return makers.TryGetValue(value, out NodeProto? source) && read.Contains(source) ? source : null;
        }
    }
}
