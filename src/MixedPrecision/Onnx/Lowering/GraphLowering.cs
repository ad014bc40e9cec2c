namespace MixedPrecision.Onnx.Lowering;

/// <summary>
/// Brings a working copy of a model to one operator set, so that rules meet each operator in one form: functions are inlined, old forms upgraded,
/// fused operators written out, half precision made float. Each value that was computed before and still is keeps its name. The model that ships is never lowered.
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
        ModelProto source = model.Proto;
        if (types.Values.Any(t => HalfPrecision.IsHalf(t.ElementType)))
        {
            source = Widening.Widen(source, model.External);
            types = types.ToDictionary(t => t.Key, t => HalfPrecision.Widen(t.Value));
        }

        proto.Graph = Lower(source.Graph, new Source(source, Math.Max(model.Opset, 1), types, null), builder);

        // Graphs inside of nodes are looked at apart from their model, and nodes are copies here.
        foreach (TensorProto tensor in ModelTensors.OfNodes(proto.Graph).Where(t => ModelTensors.IsExternal(t) && !TensorProtos.IsTooLargeToRead(t)).ToArray())
        {
            TensorProtos.Embed(tensor, model.External);
        }

        proto.OpsetImport.Add(new OperatorSetIdProto { Version = Math.Max(model.Opset, TargetOpset) });
        foreach (OperatorSetIdProto import in model.Proto.OpsetImport.Where(o => o.Domain is not ("" or "ai.onnx" or "com.microsoft")))
        {
            proto.OpsetImport.Add(import);
        }

        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        return new OnnxModel(proto, model.Folder, model.DisplayName);
    }

    private static GraphProto Lower(GraphProto graph, Source source, GraphBuilder builder)
    {
        bool isMain = source.Constants is null;
        source = source with { Constants = new SmallConstants(graph, source.Constants) };
        foreach (NodeProto node in graph.Node)
        {
            Lower(node.Clone(), source, builder);
        }

        HashSet<string> initialized = [.. graph.Initializer.Select(i => i.Name)];
        var lowered = new GraphProto { Name = graph.Name };

        // Files of old versions list every weight as an input too; nobody feeds them, and as inputs they could not be folded.
        lowered.Input.AddRange(graph.Input.Where(i => !isMain || !initialized.Contains(i.Name)));
        lowered.Output.AddRange(graph.Output);
        lowered.Initializer.AddRange(graph.Initializer);
        lowered.SparseInitializer.AddRange(graph.SparseInitializer);
        builder.AppendTo(lowered);
        return lowered;
    }

    private static void Lower(NodeProto node, Source source, GraphBuilder builder)
    {
        if (FunctionInlining.Called(source.Model, node) is { } function)
        {
            Source within = source with { Version = function.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx")?.Version ?? source.Version };
            foreach (NodeProto inner in FunctionInlining.Body(function, node, builder))
            {
                Lower(inner, within, builder);
            }

            return;
        }

        foreach (AttributeProto attribute in node.Attribute.Where(a => a.G is not null))
        {
            attribute.G = Lower(attribute.G, source, builder.Inner());
        }

        Rewrite(node, source, builder);
    }

    /// <summary>Upgrades a node that is written in an older version, then expands what comes out until only primitive operators are left.</summary>
    private static void Rewrite(NodeProto node, Source source, GraphBuilder builder)
    {
        TensorType Type(string value) => source.Types.GetValueOrDefault(value) ?? new TensorType(0, null);
        LoweringContext Context(NodeProto rewritten, long version) => new(rewritten, version, builder, Type, source.Constants!);
        int start = builder.Nodes.Count;
        if (source.Version < TargetOpset && Upgrades.Table.TryGetValue(node.Operator(), out NodeRewrite? upgrade))
        {
            upgrade(Context(node, source.Version));
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
                expand(Context(expanded, Math.Max(source.Version, TargetOpset)));
                bool kept = builder.Nodes.Count > before && ReferenceEquals(builder.Nodes[^1], expanded);
                builder.Nodes.AddRange(rest);
                index -= kept ? 0 : 1;
            }
        }
    }

    /// <summary>What is lowered: the model, the operator set its nodes are written in, types, and constants in scope (null at the top).</summary>
    private sealed record Source(ModelProto Model, long Version, IReadOnlyDictionary<string, TensorType> Types, SmallConstants? Constants);
}
