using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures;

namespace MixedPrecision.Quantization;

/// <summary>
/// A model in which every layer computes what it did, up to rounding, in less: Ifs that go one way alone are replaced by the branch taken (<see cref="DecidedBranch"/>), and constant factors and addends beside
/// convolutions are folded into these (<see cref="FoldedConvolution"/>). What follows, partition, calibration, timings and formats, sees this model; the original stays what it is compared with. Layers keep their names.
/// </summary>
/// <param name="Model">The rewritten model. It shares the original's mappings of external data: only one of them is to be disposed of.</param>
/// <param name="Types">Types of its values.</param>
/// <param name="Decided">Ifs that are gone.</param>
/// <param name="Folded">Convolutions that took something in.</param>
/// <param name="Gaining">Of all these the ones for which ONNX Runtime would not do the same by itself.</param>
internal sealed record ExactRewrites(OnnxModel Model, IReadOnlyDictionary<string, TensorType> Types, int Decided, int Folded, int Gaining)
{
    /// <summary>What the model with exact rewrites alone, and every layer as it is, is called among those that may be shipped.</summary>
    public const string Name = "exact";

    /// <summary>Raised when what is rewritten changes; part of what identifies a rewritten model.</summary>
    public const int Version = 2;

    /// <summary>The version of the format with which initializers that are no inputs came.</summary>
    private const int InitializersAlone = 4;

    /// <summary>What there is to say of them.</summary>
    public string Note => string.Join("; ", new[]
    {
        Decided == 0 ? null : Decided == 1 ? "one If, decided by constants or fixed sizes, is replaced by the branch that it takes" : $"{Decided} Ifs, decided by constants or fixed sizes, are replaced by the branches that they take",
        Folded == 0 ? null : $"constant factors and addends beside {(Folded == 1 ? "one convolution" : $"{Folded} convolutions")} are folded into {(Folded == 1 ? "its weight" : "their weights")}",
    }.OfType<string>());

    /// <summary>What there is to say where none of them is made after all.</summary>
    public string Undone => Decided == 0 ? "constants beside convolutions stay where they are" : Folded == 0 ? "Ifs that are decided stay as they are" : "Ifs that are decided, and constants beside convolutions, stay as they are";

    /// <summary>What was done, as part of what identifies the rewritten model.</summary>
    public string Key => $"{Decided} decided, {Folded} folded, version {Version}";

    /// <summary>The rewritten model, or null where there is nothing to rewrite; the model itself is not changed.</summary>
    /// <param name="types">Types of all values of the model.</param>
    public static ExactRewrites? Of(OnnxModel model, IReadOnlyDictionary<string, TensorType> types)
    {
        ExactRewrites? decided = Decide(model, types);
        return Fold(decided ?? new ExactRewrites(model, types, 0, 0, 0)) ?? decided;
    }

    /// <summary>Takes branches until no If is decided: those inside of a branch come into sight once it is taken.</summary>
    private static ExactRewrites? Decide(OnnxModel model, IReadOnlyDictionary<string, TensorType> types)
    {
        int decided = 0, gaining = 0;
        while (model.Graph.Node.Any(n => n.Operator() == "If") && DecidedBranch.Find(new AttentionReader(model, new GraphView(model.Graph), types)) is { Count: > 0 } branches)
        {
            ModelProto proto = model.Proto.Clone();
            DecidedBranch.Write(proto.Graph, branches);
            proto.IrVersion = Math.Max(proto.IrVersion, InitializersAlone);
            ValueReaders.Drop(proto.Graph, [.. branches.SelectMany(b => b.Read).Distinct()]);
            model = model.With(proto);
            types = TypeInference.Infer(model, types);
            decided += branches.Count;
            gaining += branches.Count(b => !b.IsOfRuntime);
        }

        return decided == 0 ? null : new ExactRewrites(model, types, decided, 0, gaining);
    }

    private static ExactRewrites? Fold(ExactRewrites before)
    {
        (OnnxModel model, IReadOnlyDictionary<string, TensorType> types) = (before.Model, before.Types);
        if (model.Graph.Node.All(n => n.Operator() is not ("Conv" or "ConvTranspose")))
        {
            return null;
        }

        var view = new GraphView(model.Graph);
        var reader = new AttentionReader(model, view, types);
        IReadOnlyList<FoldedConvolution> folded = FoldedConvolution.Find(reader, LayerFinder.Find(model, view, types).Layers);
        if (folded.Count == 0)
        {
            return null;
        }

        ModelProto proto = model.Proto.Clone();
        Dictionary<string, TensorType> typesNow = new(types);
        Write(proto, reader, folded, typesNow);
        KeepNames(proto.Graph, folded);
        return before with { Model = model.With(proto), Types = typesNow, Folded = folded.Count, Gaining = before.Gaining + folded.Count(f => !f.IsOfRuntime) };
    }

    private static void Write(ModelProto proto, AttentionReader reader, IReadOnlyList<FoldedConvolution> folded, Dictionary<string, TensorType> types)
    {
        GraphProto graph = proto.Graph;
        Dictionary<string, NodeProto> makers = ValueReaders.ProducersOf(graph.Node);
        var gone = new HashSet<NodeProto>(ReferenceEqualityComparer.Instance);
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string Constant(Tensor tensor, string hint)
        {
            string name = builder.Constant(tensor, hint);
            types[name] = TensorType.Of(tensor);
            return name;
        }

        // What they read before is dropped where nothing else reads it; weights that others read are copied.
        var unread = new List<string>();
        foreach (FoldedConvolution fold in folded)
        {
            NodeProto node = makers[fold.Layer.Output];
            NodeProto[] steps = [.. fold.Steps.Select(s => makers[reader.View.Nodes[s].Output[0]])];
            gone.UnionWith(steps);
            unread.AddRange(node.Input.Concat(steps.SelectMany(s => s.Input.Concat(s.Output))).Append(fold.Layer.Output).Where(v => v.Length > 0));
            (Tensor weight, Tensor? bias) = fold.Constants(reader);
            string[] inputs = [fold.Input, Constant(weight, $"{fold.Layer.Weight}/folded"), .. bias is null ? Array.Empty<string>() : [Constant(bias, $"{fold.Layer.Weight}/bias")]];
            node.Input.Clear();
            node.Input.AddRange(inputs);
            node.Output[0] = fold.Output;
        }

        NodeProto[] left = [.. graph.Node.Where(n => !gone.Contains(n))];
        graph.Node.Clear();
        graph.Node.AddRange(left);
        builder.AppendTo(graph);

        proto.IrVersion = Math.Max(proto.IrVersion, InitializersAlone);
        HashSet<string> still = [.. folded.SelectMany(f => new[] { f.Input, f.Output })];
        ValueReaders.Drop(graph, [.. unread.Where(v => !still.Contains(v)).Distinct()]);
    }

    /// <summary>A layer whose name is that of its output, since its node has none, has it from its node now; unless another node is called so.</summary>
    private static void KeepNames(GraphProto graph, IReadOnlyList<FoldedConvolution> folded)
    {
        Dictionary<string, string> names = folded.ToDictionary(f => f.Output, f => f.Layer.Name);
        HashSet<string> taken = [.. graph.Node.Select(n => n.Name)];
        foreach (NodeProto node in graph.Node.Where(n => n.Name.Length == 0 && n.Output.Count > 0))
        {
            if (names.TryGetValue(node.Output[0], out string? name) && taken.Add(name))
            {
                node.Name = name;
            }
        }
    }
}
