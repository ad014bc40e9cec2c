using MixedPrecision.Onnx;
using MixedPrecision.Structures;

namespace MixedPrecision.Quantization;

/// <summary>Writes structures into a graph in place of the nodes that compute the same values.</summary>
internal static class StructureRewriter
{
    /// <summary>
    /// Removes the nodes that compute the outputs of the structures, with what nothing else reads of what led to them, and puts those of the structures in their place.
    /// The order of the nodes is left to be sorted.
    /// </summary>
    /// <param name="emission">What the structures are written with; its constants are not yet initializers of the graph.</param>
    public static void Apply(GraphProto graph, IReadOnlyList<StructureMatch> structures, StructureEmission emission)
    {
        HashSet<string> outputs = [.. structures.SelectMany(s => s.Outputs)];
        foreach (StructureMatch structure in structures)
        {
            structure.Emit(emission);
        }

        NodeProto[] removed = [.. graph.Node.Where(n => n.Output.Any(outputs.Contains))];
        if (outputs.Except(removed.SelectMany(n => n.Output)).FirstOrDefault() is string missing)
        {
            throw new ArgumentException($"the graph does not compute what the structures take over: '{missing}'");
        }

        int place = graph.Node.Count - 1 - Enumerable.Reverse(graph.Node).TakeWhile(n => n != removed[^1]).Count();
        HashSet<NodeProto> gone = new(removed, ReferenceEqualityComparer.Instance);
        NodeProto[] nodes = [.. graph.Node.Take(place).Concat(emission.Builder.Nodes).Concat(graph.Node.Skip(place)).Where(n => !gone.Contains(n))];
        graph.Node.Clear();
        graph.Node.AddRange(nodes);
        ValueReaders.Drop(graph, [.. removed.SelectMany(GraphView.InputsOf)]);
        HashSet<string> others = [.. removed.SelectMany(n => n.Output).Where(o => o.Length > 0).Except(outputs)];
        if (graph.Node.SelectMany(GraphView.InputsOf).Concat(graph.Output.Select(o => o.Name)).FirstOrDefault(others.Contains) is string other)
        {
            throw new ArgumentException($"a node that computes what the structures take over computes something else that is read: '{other}'");
        }
    }

    /// <summary>All values that a graph computes, is fed or holds.</summary>
    public static HashSet<string> ValuesOf(GraphProto graph) =>
        [.. graph.Input.Select(i => i.Name), .. graph.Initializer.Select(i => i.Name), .. graph.Node.SelectMany(n => n.Output)];
}
