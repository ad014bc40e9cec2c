namespace MixedPrecision.Onnx.Lowering;

/// <summary>Model-local functions, written out where they are called.</summary>
internal static class FunctionInlining
{
    /// <summary>The function that a node calls, or null.</summary>
    public static FunctionProto? Called(ModelProto model, NodeProto node) =>
        model.Functions.FirstOrDefault(f => f.Name == node.OpType && Domain(f.Domain) == Domain(node.Domain) && f.Overload == node.Overload);

    /// <summary>The function's nodes with the call's values and attributes; values inside get fresh names, results the call's.</summary>
    public static IEnumerable<NodeProto> Body(FunctionProto function, NodeProto call, GraphBuilder builder)
    {
        var names = new Dictionary<string, string>();
        for (int i = 0; i < function.Input.Count; i++)
        {
            names[function.Input[i]] = i < call.Input.Count ? call.Input[i] : "";
        }

        for (int i = 0; i < function.Output.Count; i++)
        {
            if (i < call.Output.Count && call.Output[i].Length > 0 && !names.ContainsKey(function.Output[i]))
            {
                names[function.Output[i]] = call.Output[i];
            }
        }

        var attributes = function.AttributeProto.Concat(call.Attribute).GroupBy(a => a.Name).ToDictionary(g => g.Key, g => g.Last());
        foreach (NodeProto node in function.Node)
        {
            yield return Copy(node, names, attributes, builder);
        }

        // A function may hand an input on as its result.
        for (int i = 0; i < Math.Min(function.Output.Count, call.Output.Count); i++)
        {
            if (call.Output[i].Length > 0 && names[function.Output[i]] != call.Output[i])
            {
                var identity = new NodeProto { OpType = "Identity", Name = builder.Fresh("node/Identity") };
                identity.Input.Add(names[function.Output[i]]);
                identity.Output.Add(call.Output[i]);
                yield return identity;
            }
        }
    }

    private static NodeProto Copy(NodeProto node, Dictionary<string, string> names, Dictionary<string, AttributeProto> attributes, GraphBuilder builder)
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
            if (!string.IsNullOrEmpty(attribute.RefAttrName))
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

    private static GraphProto Copy(GraphProto graph, Dictionary<string, string> outer, Dictionary<string, AttributeProto> attributes, GraphBuilder builder)
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

    private static string Domain(string domain) => domain == "ai.onnx" ? "" : domain;
}
