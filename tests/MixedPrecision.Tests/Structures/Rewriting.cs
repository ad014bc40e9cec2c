using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Structures;

/// <summary>Applies a structure to all sub-graphs of a model in which it is found.</summary>
internal static class Rewriting
{
    /// <summary>The matches by sub-graph.</summary>
    public static IReadOnlyList<(StructureSite Site, StructureMatch Match)> Find(OnnxModel model, Structure structure)
    {
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        var sites = partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(model, partition.View, types, l));
        return [.. partition.Subgraphs.Select(s => new StructureSite(model, partition, s, types, sites))
            .Select(s => (s, structure.Match(s))).Where(m => m.Item2 is not null).Select(m => (m.s, m.Item2!))];
    }

    /// <summary>The model with the matches in place of its own nodes.</summary>
    public static ModelProto Apply(OnnxModel model, IEnumerable<StructureMatch> matches)
    {
        ModelProto proto = model.Proto.Clone();
        var builder = new GraphBuilder(GraphBuilder.NamesIn(proto.Graph));
        HashSet<string> has = [.. proto.Graph.Node.SelectMany(n => n.Output).Concat(proto.Graph.Input.Select(i => i.Name)).Concat(proto.Graph.Initializer.Select(i => i.Name))];
        var shared = new Dictionary<string, string[]>();
        foreach (StructureMatch match in matches)
        {
            foreach (NodeProto node in proto.Graph.Node.Where(n => n.Output.Any(match.Outputs.Contains)).ToArray())
            {
                proto.Graph.Node.Remove(node);
            }

            match.Emit(new StructureEmission(builder, has.Contains, builder.Constant, _ => [], shared));
        }

        builder.AppendTo(proto.Graph);
        foreach (string domain in builder.Domains.Keys.Where(d => proto.OpsetImport.All(o => o.Domain != d)))
        {
            proto.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = 1 });
        }

        Drop(proto.Graph);
        NodeProto[] sorted = [.. new GraphView(proto.Graph).Nodes];
        proto.Graph.Node.Clear();
        proto.Graph.Node.AddRange(sorted);
        return proto;
    }

    private static void Drop(GraphProto graph)
    {
        while (true)
        {
            HashSet<string> read = [.. graph.Node.SelectMany(GraphView.InputsOf), .. graph.Output.Select(o => o.Name)];
            NodeProto[] unread = [.. graph.Node.Where(n => !n.Output.Any(read.Contains))];
            foreach (NodeProto node in unread)
            {
                graph.Node.Remove(node);
            }

            if (unread.Length == 0)
            {
                foreach (TensorProto initializer in graph.Initializer.Where(i => !read.Contains(i.Name)).ToArray())
                {
                    graph.Initializer.Remove(initializer);
                }

                return;
            }
        }
    }
}
