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
            yield return GraphCopy.Copy(node, names, attributes, builder);
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

    private static string Domain(string domain) => domain == "ai.onnx" ? "" : domain;
}
