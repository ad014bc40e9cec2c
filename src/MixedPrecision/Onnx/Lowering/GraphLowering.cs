namespace MixedPrecision.Onnx.Lowering;

/// <summary>
/// Brings a working copy of a model to one operator set, so that rules meet each operator in one form: functions are inlined, old forms upgraded,
/// fused operators written out. Each value that was computed before and still is keeps its name. The model that ships is never lowered.
/// </summary>
public static class GraphLowering
{
    /// <summary>The operator set that older models are brought to; newer ones keep theirs.</summary>
    public const int TargetOpset = 21;

    /// <param name="model">Any model; it is not changed.</param>
    /// <param name="types">What is known of its values.</param>
    /// <returns>A model that shares the original's initializers and folder.</returns>
    public static OnnxModel Lower(OnnxModel model, IReadOnlyDictionary<string, TensorType> types)
    {
        var builder = new GraphBuilder(GraphBuilder.NamesIn(model.Graph), "lowered/");
        var proto = new ModelProto { IrVersion = Math.Max(model.Proto.IrVersion, 8) };
        proto.Graph = Lower(model.Graph, Math.Max(model.Opset, 1), builder, types, null);
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = Math.Max(model.Opset, TargetOpset) });
        foreach (OperatorSetIdProto import in model.Proto.OpsetImport.Where(o => o.Domain is not ("" or "ai.onnx" or "com.microsoft")))
        {
            proto.OpsetImport.Add(import);
        }

        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        return new OnnxModel(proto, model.Folder, model.DisplayName);
    }

    private static GraphProto Lower(GraphProto graph, long version, GraphBuilder builder, IReadOnlyDictionary<string, TensorType> types, SmallConstants? outer)
    {
        var constants = new SmallConstants(graph, outer);
        foreach (NodeProto original in graph.Node)
        {
            NodeProto node = original.Clone();
            foreach (AttributeProto attribute in node.Attribute.Where(a => a.G is not null))
            {
                attribute.G = Lower(attribute.G, version, builder.Inner(), types, constants);
            }

            Rewrite(node, version, builder, types, constants);
        }

        HashSet<string> initialized = [.. graph.Initializer.Select(i => i.Name)];
        var lowered = new GraphProto { Name = graph.Name };

        // Files of old versions list every weight as an input too; nobody feeds them, and as inputs they could not be folded.
        lowered.Input.AddRange(graph.Input.Where(i => outer is not null || !initialized.Contains(i.Name)));
        lowered.Output.AddRange(graph.Output);
        lowered.Initializer.AddRange(graph.Initializer);
        lowered.SparseInitializer.AddRange(graph.SparseInitializer);
        builder.AppendTo(lowered);
        return lowered;
    }

    /// <summary>Upgrades a node that is written in an older version, then expands what comes out until only primitive operators are left.</summary>
    private static void Rewrite(NodeProto node, long version, GraphBuilder builder, IReadOnlyDictionary<string, TensorType> types, SmallConstants constants)
    {
        TensorType Type(string value) => types.GetValueOrDefault(value) ?? new TensorType(0, null);
        int start = builder.Nodes.Count;
        if (version < TargetOpset && Upgrades.Table.TryGetValue(node.Operator(), out NodeRewrite? upgrade))
        {
            upgrade(new LoweringContext(node, version, builder, Type, constants));
        }
        else
        {
            builder.Nodes.Add(node);
        }

        for (int index = start; index < builder.Nodes.Count; index++)
        {
            if (Expansions.Table.TryGetValue(builder.Nodes[index].Operator(), out NodeRewrite? expand))
            {
                NodeProto[] rest = [.. builder.Nodes.Skip(index + 1)];
                NodeProto expanded = builder.Nodes[index];
                builder.Nodes.RemoveRange(index, builder.Nodes.Count - index);
                int before = builder.Nodes.Count;
                expand(new LoweringContext(expanded, Math.Max(version, TargetOpset), builder, Type, constants));
                bool kept = builder.Nodes.Count == before + 1 && ReferenceEquals(builder.Nodes[before], expanded);
                builder.Nodes.AddRange(rest);
                index -= kept ? 0 : 1;
            }
        }
    }
}
