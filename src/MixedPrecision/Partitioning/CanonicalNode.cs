using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>Writes nodes without what does not affect them: names, doc strings, metadata, order of attributes.</summary>
internal static class CanonicalNode
{
    /// <param name="rename">Canonical name of a value outside of the node's inner graphs.</param>
    public static NodeProto Write(NodeProto node, Func<string, string> rename, CanonicalNames names)
    {
        var written = new NodeProto { OpType = node.OpType };
        if (node.Domain is not ("" or "ai.onnx"))
        {
            written.Domain = node.Domain;
        }

        if (node.Overload.Length > 0)
        {
            written.Overload = node.Overload;
        }

        written.Input.AddRange(node.Input.Select(rename));
        written.Output.AddRange(node.Output.Select(rename));
        written.Attribute.AddRange(node.Attribute.OrderBy(a => a.Name, StringComparer.Ordinal).Select(a => Write(a, rename, names)));
        return written;
    }

    /// <summary>A node and those of its inner graphs, at any depth.</summary>
    public static IEnumerable<NodeProto> WithInner(NodeProto node) => node.Graphs().SelectMany(g => g.Node).SelectMany(WithInner).Prepend(node);

    private static AttributeProto Write(AttributeProto attribute, Func<string, string> rename, CanonicalNames names)
    {
        AttributeProto written = attribute.Clone();
        written.ClearDocString();
        if (attribute.T is not null)
        {
            written.T.ClearName();
            written.T.ClearDocString();
        }

        if (attribute.G is not null)
        {
            written.G = Write(attribute.G, rename, names);
        }

        written.Graphs.Clear();
        written.Graphs.AddRange(attribute.Graphs.Select(g => Write(g, rename, names)));
        return written;
    }

    /// <summary>An inner graph. Its own values hide those outside of the same name; its constants keep their values.</summary>
    private static GraphProto Write(GraphProto graph, Func<string, string> rename, CanonicalNames names)
    {
        var own = new Dictionary<string, string>();
        IEnumerable<string> defined = graph.Input.Select(i => i.Name).Concat(graph.Initializer.Select(i => i.Name)).Concat(graph.Node.SelectMany(n => n.Output));
        foreach (string name in defined.Where(n => n.Length > 0 && !own.ContainsKey(n)))
        {
            own.Add(name, names.Inner());
        }

        string Rename(string name) => own.TryGetValue(name, out string? known) ? known : rename(name);
        var written = new GraphProto { Name = "inner" };
        written.Input.AddRange(graph.Input.Select(i => new ValueInfoProto { Name = Rename(i.Name), Type = CanonicalNames.Type(i.Type) }));
        written.Initializer.AddRange(graph.Initializer.Select(i =>
        {
            TensorProto tensor = i.Clone();
            tensor.Name = Rename(i.Name);
            tensor.ClearDocString();
            return tensor;
        }));
        written.Node.AddRange(graph.Node.Select(n => Write(n, Rename, names)));
        written.Output.AddRange(graph.Output.Select(o => new ValueInfoProto { Name = Rename(o.Name), Type = CanonicalNames.Type(o.Type) }));
        return written;
    }
}
