using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Structures;

/// <summary>An If whose first branch is the kernel, and the other one the model's own nodes, for sizes that the kernel refuses.</summary>
internal static class OtherBranch
{
    /// <summary>What is computed from sizes and inputs alone moves into the branch, up to this many nodes; what takes more stays where it is.</summary>
    private const int MostNodes = 400;

    /// <param name="condition">Whether the kernel takes the sizes.</param>
    /// <param name="kernel">Adds the kernel's node with outputs of these names.</param>
    public static void Write(AttentionReader reader, GroupQueryPlan plan, StructureEmission emission, string condition, Action<GraphBuilder, string[]> kernel)
    {
        string[] outputs = [.. plan.Outputs];
        GraphBuilder then = emission.Builder.Inner(), otherwise = emission.Builder.Inner();
        string[] result = [then.Fresh("attention"), then.Fresh("present"), then.Fresh("present")];
        kernel(then, result);
        string[] wanted = [.. new[] { plan.Attention.Output, plan.PresentKey, plan.PresentValue }.Zip(result).Where(o => o.First is not null).Select(o => o.Second)];
        string[] copies = Copy(reader, plan, emission, otherwise);
        emission.Builder.NodeTo(
            outputs, "If", "", [condition], Attributes.Of("then_branch", Graph(reader, then, "kernel", outputs, wanted)), Attributes.Of("else_branch", Graph(reader, otherwise, "written_out", outputs, copies)));
    }

    private static GraphProto Graph(AttentionReader reader, GraphBuilder nodes, string name, string[] outputs, string[] inner)
    {
        var graph = new GraphProto { Name = name };
        nodes.AppendTo(graph);
        graph.Output.AddRange(outputs.Zip(inner, (o, i) => new TensorType(ElementType.Float, [.. reader.Shapes.Of(o)!.Select(d => d.Constant is long size ? Dimension.Of(size) : Dimension.Unknown)]).ToProto(i)));
        return graph;
    }

    /// <summary>Copies the nodes that compute the outputs from projections, past and sizes; the names of the outputs there.</summary>
    private static string[] Copy(AttentionReader reader, GroupQueryPlan plan, StructureEmission emission, GraphBuilder target)
    {
        HashSet<string> starts = [plan.Attention.Query.Rows, plan.Attention.Key.Rows, plan.Attention.Value.Rows];
        SortedSet<int> nodes = Between(reader, plan.Outputs, starts);
        foreach (string side in nodes.SelectMany(n => reader.View.Inputs[n]).Where(v => !starts.Contains(v) && reader.View.Producer(v) is int p && !nodes.Contains(p)).Distinct().ToArray())
        {
            nodes.UnionWith(Free(reader, emission, side));
        }

        var names = new Dictionary<string, string>();
        foreach (NodeProto node in nodes.Select(n => reader.View.Nodes[n]))
        {
            NodeProto copy = node.Clone();
            copy.Name = target.Fresh(node.Name.Length > 0 ? node.Name : node.OpType);
            for (int i = 0; i < copy.Input.Count; i++)
            {
                copy.Input[i] = names.GetValueOrDefault(copy.Input[i], copy.Input[i]);
            }

            for (int i = 0; i < copy.Output.Count; i++)
            {
                copy.Output[i] = copy.Output[i].Length == 0 ? "" : names[node.Output[i]] = target.Fresh(node.Output[i]);
            }

            target.Nodes.Add(copy);
        }

        return [.. plan.Outputs.Select(o => names[o])];
    }

    /// <summary>The nodes on paths from some values to others.</summary>
    private static SortedSet<int> Between(AttentionReader reader, IEnumerable<string> ends, HashSet<string> starts)
    {
        // Nodes stand in order: forwards from the starts, and backwards from the ends, no further than the earliest of the forward ones.
        int last = ends.Max(e => reader.View.Producer(e)!.Value);
        var forward = new SortedSet<int>();
        var reached = new HashSet<string>(starts);
        foreach (int node in Enumerable.Range(0, last + 1).Where(n => reader.View.Inputs[n].Any(reached.Contains)))
        {
            forward.Add(node);
            reached.UnionWith(reader.View.Nodes[node].Output);
        }

        var between = new SortedSet<int>();
        var needed = new HashSet<string>(ends);
        foreach (int node in forward.Reverse().Where(n => reader.View.Nodes[n].Output.Any(needed.Contains)))
        {
            between.Add(node);
            needed.UnionWith(reader.View.Inputs[node].Where(v => !starts.Contains(v)));
        }

        return between;
    }

    /// <summary>The nodes that compute a value from the model's inputs, sizes and constants alone, none where more than that enters or is at hand.</summary>
    private static SortedSet<int> Free(AttentionReader reader, StructureEmission emission, string value)
    {
        var nodes = new SortedSet<int>();
        var open = new Stack<string>([value]);
        while (open.TryPop(out string? name))
        {
            if (reader.View.Producer(name) is not int index)
            {
                if (!emission.Has(name))
                {
                    return [];
                }
            }
            else if (Weights.Stored(reader.View.Nodes[index]) is { } stored && TensorProtos.ByteCount(stored) > Extraction.SmallConstant)
            {
                continue;
            }
            else if (nodes.Add(index))
            {
                bool isOfSize = reader.View.Nodes[index].OpType is "Shape" or "Size";
                if (isOfSize && !emission.Has(reader.View.Nodes[index].Input[0]))
                {
                    return [];
                }

                foreach (string input in isOfSize ? [] : reader.View.Inputs[index])
                {
                    open.Push(input);
                }
            }

            if (nodes.Count > MostNodes || nodes.Any(n => reader.View.Nodes[n].OpType is "MatMul" or "Gemm" or "Conv"))
            {
                return [];
            }
        }

        return nodes;
    }
}
