using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>How nodes are cut out.</summary>
/// <param name="WeightsAsInputs">
/// Whether stored floating constants above <see cref="Extraction.SmallConstant"/> bytes become inputs, so that they can be exchanged or shared, unless they are too large to
/// be fed; otherwise the model holds them.
/// </param>
/// <param name="FurtherOutputs">Values computed inside that are to be outputs although nothing outside reads them.</param>
public sealed record ExtractionOptions(bool WeightsAsInputs = false, IReadOnlyList<string>? FurtherOutputs = null);

/// <summary>Nodes of a model as a model of their own.</summary>
/// <param name="Model">Tensors of stored constants are shared with the original, not copied: replace them, do not edit them.</param>
/// <param name="Inputs">Values that are fed from outside, in order of first use.</param>
/// <param name="Weights">Stored constants that are inputs; <see cref="Partitioning.Weights.Read"/> has their values.</param>
/// <param name="Outputs">Values read outside, outputs of the model, and further ones asked for.</param>
public sealed record ExtractedSubgraph(ModelProto Model, IReadOnlyList<string> Inputs, IReadOnlyList<string> Weights, IReadOnlyList<string> Outputs);

/// <summary>
/// Nodes of a model under canonical names. Regions of equal fingerprint give models of the same bytes, but for the list of outputs where one
/// region's inner value is read outside and the other's is not: what shares a session has to compare the bytes.
/// </summary>
/// <param name="Extracted">Under canonical names. All floating constants are inputs, but for settings such as exponents.</param>
/// <param name="Originals">Canonical name to the model's own name, for inputs, weights and computed values.</param>
public sealed record CanonicalSubgraph(ExtractedSubgraph Extracted, IReadOnlyDictionary<string, string> Originals);

/// <summary>Cuts nodes out of a model.</summary>
public static class Extraction
{
    /// <summary>Constants up to this many bytes are never made inputs: operators and optimizations want to see their values.</summary>
    public const int SmallConstant = 1024;

    /// <summary>The earliest version of the format in which an initializer need not be an input.</summary>
    private const int InitializersAlone = 4;

    /// <summary>Cuts out <paramref name="nodes"/> with all constants they need. External data stays external, relative to the model's folder.</summary>
    public static ExtractedSubgraph Extract(
        OnnxModel model,
        Partition partition,
        IReadOnlyDictionary<string, TensorType> types,
        IReadOnlyList<int> nodes,
        ExtractionOptions? options = null)
    {
        options ??= new ExtractionOptions();
        GraphView view = partition.View;
        Region region = Region.Of(view, OutputsOf(model), nodes, options.FurtherOutputs);
        ModelProto proto = Frame(model);
        AddSparse(model, proto.Graph, region.Inputs);
        HashSet<string> sparse = [.. proto.Graph.SparseInitializer.Select(s => s.Values.Name)];
        string[] inputs = [.. region.Inputs.Where(i => !sparse.Contains(i))];
        proto.Graph.Input.AddRange(inputs.Select(i => Declaration(model, types, i)));
        var weights = new List<string>();
        foreach (string name in region.Constants)
        {
            TensorProto tensor = Weights.Proto(model, view, name)!;
            if (options.WeightsAsInputs && ElementType.IsFloating(tensor.DataType) && TensorProtos.ByteCount(tensor) > SmallConstant && !TensorProtos.IsTooLargeToRead(tensor))
            {
                weights.Add(name);
                proto.Graph.Input.Add(new TensorType(tensor.DataType, [.. tensor.Dims.Select(Dimension.Of)]).ToProto(name));
            }
            else
            {
                proto.Graph.Initializer.Add(tensor);
            }
        }

        proto.Graph.Node.AddRange(region.Nodes.Select(n => view.Nodes[n].Clone()));
        proto.Graph.Output.AddRange(region.Outputs.Select(o => Declaration(model, types, o)));
        return new ExtractedSubgraph(proto, inputs, weights, region.Outputs);
    }

    /// <summary>Cuts out <paramref name="nodes"/> under names that depend on their structure only.</summary>
    public static CanonicalSubgraph Canonical(
        OnnxModel model, Partition partition, IReadOnlyDictionary<string, TensorType> types, IReadOnlyList<int> nodes) =>
        new CanonicalForm(model, partition.View, types).Of(nodes);

    /// <summary>A model without inputs that computes one constant.</summary>
    internal static ModelProto Constant(OnnxModel model, GraphView view, string name)
    {
        Region region = Region.Of(view, new HashSet<string>(), Region.ConstantNodes(view, name), [name]);
        ModelProto proto = Frame(model);
        proto.Graph.Initializer.AddRange(region.Constants.Select(c => Weights.Proto(model, view, c)!));
        proto.Graph.Node.AddRange(region.Nodes.Select(n => view.Nodes[n].Clone()));
        proto.Graph.Output.Add(new ValueInfoProto { Name = name });
        return proto;
    }

    /// <summary>An empty model with the versions, operator sets and functions of another.</summary>
    internal static ModelProto Frame(OnnxModel model)
    {
        var proto = new ModelProto { IrVersion = Math.Max(model.Proto.IrVersion, InitializersAlone), Graph = new GraphProto { Name = "subgraph" } };
        proto.OpsetImport.AddRange(model.Proto.OpsetImport);
        proto.Functions.AddRange(model.Proto.Functions);
        return proto;
    }

    /// <summary>Name and type of a value; the model's own declaration where the value is no tensor.</summary>
    internal static ValueInfoProto Declaration(OnnxModel model, IReadOnlyDictionary<string, TensorType> types, string name)
    {
        if (types.TryGetValue(name, out TensorType? type) && type.ElementType != 0)
        {
            return type.ToProto(name);
        }

        ValueInfoProto? own = model.Graph.Input.Concat(model.Graph.ValueInfo).Concat(model.Graph.Output).FirstOrDefault(v => v.Name == name);
        return own?.Clone() ?? new ValueInfoProto { Name = name };
    }

    internal static HashSet<string> OutputsOf(OnnxModel model) => [.. model.Graph.Output.Select(o => o.Name)];

    /// <summary>Copies the sparse initializers that are among the values read.</summary>
    private static void AddSparse(OnnxModel model, GraphProto graph, IEnumerable<string> values)
    {
        HashSet<string> read = [.. values];
        graph.SparseInitializer.AddRange(model.Graph.SparseInitializer.Where(s => s.Values is not null && read.Contains(s.Values.Name)));
    }
}
