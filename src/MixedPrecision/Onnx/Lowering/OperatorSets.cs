namespace MixedPrecision.Onnx.Lowering;

/// <summary>Raises models to a newer version of ONNX's operator set, node by node and without a change of what they compute.</summary>
public static class OperatorSets
{
    /// <summary>What models are raised to: the first version with floats of 8 bits (ONNX 1.14).</summary>
    public const int Newest = 19;

    /// <summary>The format of the file that came with it.</summary>
    private const int IrVersion = 9;

    /// <summary>Operators whose form changed after <see cref="Newest"/>.</summary>
    private static readonly HashSet<string> ChangedLater = ["GridSample", "DFT", "GroupNormalization"];

    /// <summary>Raises a model to <see cref="Newest"/> if it is older than what is needed: its main graph, those inside of nodes, and its functions.</summary>
    /// <param name="model">Changed in place. Values keep their names.</param>
    /// <param name="needed">The oldest version that will do, at most <see cref="Newest"/>.</param>
    /// <returns>The model's version.</returns>
    public static int Raise(ModelProto model, int needed)
    {
        OperatorSetIdProto? import = model.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx");
        if ((import?.Version ?? 1) >= needed)
        {
            return (int)(import?.Version ?? 1);
        }

        if (import is null)
        {
            model.OpsetImport.Add(import = new OperatorSetIdProto { Version = 1 });
        }

        Raise(model.Graph, import.Version, new GraphBuilder(GraphBuilder.NamesIn(model.Graph)), null, new Dictionary<string, TensorType>());
        import.Version = Newest;
        model.IrVersion = Math.Max(model.IrVersion, IrVersion);
        foreach (FunctionProto function in model.Functions)
        {
            Raise(function);
        }

        return Newest;
    }

    private static void Raise(GraphProto graph, long version, GraphBuilder builder, SmallConstants? outer, IReadOnlyDictionary<string, TensorType> outerTypes)
    {
        var types = new Dictionary<string, TensorType>(outerTypes);
        foreach (ValueInfoProto value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo).Where(v => v.Type?.TensorType is not null))
        {
            types[value.Name] = TensorType.Read(value.Type);
        }

        foreach (TensorProto tensor in graph.Initializer)
        {
            types[tensor.Name] = new TensorType(tensor.DataType, [.. tensor.Dims.Select(Dimension.Of)]);
        }

        Raise(graph.Node, version, builder, new SmallConstants(graph, outer), types);
        builder.AppendTo(graph);
    }

    /// <summary>Empties the list of nodes into the builder, in the new form.</summary>
    private static void Raise(Google.Protobuf.Collections.RepeatedField<NodeProto> nodes, long version, GraphBuilder builder, SmallConstants constants, IReadOnlyDictionary<string, TensorType> types)
    {
        foreach (NodeProto node in nodes)
        {
            foreach (GraphProto inner in node.Graphs())
            {
                Raise(inner, version, builder.Inner(), constants, types);
            }

            if (!ChangedLater.Contains(node.Operator()) && Upgrades.Table.TryGetValue(node.Operator(), out NodeRewrite? upgrade))
            {
                upgrade(new LoweringContext(node, version, builder, value => types.GetValueOrDefault(value) ?? new TensorType(0, null), constants));
            }
            else
            {
                builder.Nodes.Add(node);
            }
        }

        nodes.Clear();
    }

    /// <summary>A function has no initializers: constants that the new forms need are nodes of it.</summary>
    private static void Raise(FunctionProto function)
    {
        if (function.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx") is not { Version: < Newest } import)
        {
            return;
        }

        var body = new GraphProto();
        body.Node.AddRange(function.Node);
        var builder = new GraphBuilder(GraphBuilder.NamesIn(body).Concat(function.Input).Concat(function.Output));
        Raise(function.Node, import.Version, builder, new SmallConstants(body, null), new Dictionary<string, TensorType>());
        foreach ((string name, Tensor value) in builder.Constants)
        {
            function.Node.Add(new NodeProto { OpType = "Constant", Output = { name }, Attribute = { Attributes.Of("value", value.ToProto("")) } });
        }

        function.Node.AddRange(builder.Nodes);
        import.Version = Newest;
    }
}
