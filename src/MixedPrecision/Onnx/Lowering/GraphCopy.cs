namespace MixedPrecision.Onnx.Lowering;

/// <summary>Copies of graphs and nodes under other names.</summary>
internal static class GraphCopy
{
    /// <summary>Appends an inner graph's nodes for given inputs and returns its outputs' names; its values get fresh names, outer values keep theirs.</summary>
    public static string[] Append(GraphProto graph, IReadOnlyList<string> inputs, GraphBuilder builder)
    {
        var names = graph.Input.Select((input, i) => (input.Name, inputs[i])).ToDictionary(p => p.Name, p => p.Item2);
        foreach (TensorProto initializer in graph.Initializer)
        {
            names[initializer.Name] = builder.Node("Constant", [], Attributes.Of("value", initializer));
        }

        builder.Nodes.AddRange(graph.Node.Select(n => Copy(n, names, null, builder)).ToArray());
        return [.. graph.Output.Select(o => Rename(o.Name, names))];
    }

    /// <summary>A node with its values renamed, values it defines under fresh names, and references to a function's attributes filled in.</summary>
    public static NodeProto Copy(NodeProto node, Dictionary<string, string> names, IReadOnlyDictionary<string, AttributeProto>? attributes, GraphBuilder builder)
    {
        NodeProto copy = node.Clone();
        copy.Name = builder.Fresh("node/" + copy.OpType);
        for (int i = 0; i < copy.Input.Count; i++)
        {
            copy.Input[i] = Rename(copy.Input[i], names);
        }

        for (int i = 0; i < copy.Output.Count; i++)
        {
            copy.Output[i] = Define(copy.Output[i], names, builder);
        }

        foreach (AttributeProto attribute in copy.Attribute.ToArray())
        {
            if (!string.IsNullOrEmpty(attribute.RefAttrName) && attributes is not null)
            {
                copy.Attribute.Remove(attribute);
                if (attributes.TryGetValue(attribute.RefAttrName, out AttributeProto? given))
                {
                    AttributeProto bound = given.Clone();
                    bound.Name = attribute.Name;
                    copy.Attribute.Add(bound);
                }
            }
            else if (attribute.G is not null)
            {
                attribute.G = Copy(attribute.G, names, attributes, builder);
            }
        }

        return copy;
    }

    /// <summary>Lets nodes, and those of graphs inside them, read values under other names.</summary>
    public static void RenameInputs(IEnumerable<NodeProto> nodes, Dictionary<string, string> names)
    {
        foreach (NodeProto node in nodes)
        {
            for (int i = 0; i < node.Input.Count; i++)
            {
                node.Input[i] = Rename(node.Input[i], names);
            }

            foreach (GraphProto graph in node.Graphs())
            {
                RenameInputs(graph.Node, names);
            }
        }
    }

    private static GraphProto Copy(GraphProto graph, Dictionary<string, string> outer, IReadOnlyDictionary<string, AttributeProto>? attributes, GraphBuilder builder)
    {
        var names = new Dictionary<string, string>(outer);
        GraphProto copy = graph.Clone();
        foreach (ValueInfoProto input in copy.Input)
        {
            input.Name = Define(input.Name, names, builder);
        }

        foreach (TensorProto initializer in copy.Initializer)
        {
            initializer.Name = Define(initializer.Name, names, builder);
        }

        copy.Node.Clear();
        copy.Node.AddRange(graph.Node.Select(n => Copy(n, names, attributes, builder)));
        foreach (ValueInfoProto output in copy.Output)
        {
            output.Name = Rename(output.Name, names);
        }

        copy.ValueInfo.Clear();
        return copy;
    }

    private static string Rename(string name, Dictionary<string, string> names) => name.Length == 0 ? "" : names.GetValueOrDefault(name, name);

    private static string Define(string name, Dictionary<string, string> names, GraphBuilder builder)
    {
        if (name.Length > 0 && !names.ContainsKey(name))
        {
            names[name] = builder.Fresh(name);
        }

        return Rename(name, names);
    }
}
