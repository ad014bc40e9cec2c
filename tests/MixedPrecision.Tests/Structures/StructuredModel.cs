using MixedPrecision.Benchmarking;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Structures;

using Structure = MixedPrecision.Structures.Structure;

/// <summary>A model with what is needed to write it with structures and formats.</summary>
internal sealed class StructuredModel
{
    private readonly OnnxModel model;
    private readonly Partition partition;
    private readonly Dictionary<string, LayerSite> sites;

    public StructuredModel(OnnxModel model)
    {
        this.model = model;
        Types = TypeInference.Infer(model);
        partition = Partitioner.Partition(model, Types);
        sites = partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(model, partition.View, Types, l));
    }

    public IReadOnlyDictionary<string, TensorType> Types { get; }

    /// <summary>The layers that multiply by a weight matrix, and that a format can run.</summary>
    public IReadOnlyList<LayerSite> Weighted(string format) => [.. sites.Values.Where(s => s.HasWeightMatrix && NumberFormats.Get(format).WhyNot(s) is null)];

    /// <summary>The matches of a structure, in the order of the sub-graphs.</summary>
    public IReadOnlyList<StructureMatch> Matches(Structure structure) =>
        [.. partition.Subgraphs.Select(s => structure.Match(new StructureSite(model, partition, s, Types, sites))).OfType<StructureMatch>()];

    /// <summary>The same by name, with all that the table of structures adds.</summary>
    public IReadOnlyList<StructureMatch> Found(string structure) =>
        [.. partition.Subgraphs.SelectMany(s => KnownStructures.Find(new StructureSite(model, partition, s, Types, sites))).Where(f => f.Structure.Name == structure).Select(f => f.Match)];

    /// <summary>The model with structures and, for layers that these leave free, formats.</summary>
    public ModelProto Written(IReadOnlyList<StructureMatch> structures, IReadOnlyDictionary<string, string>? formats = null) => Rewrite(model.Proto.Clone(), structures, formats);

    /// <summary>The sub-graph that a structure matches in, cut out as it is timed, exported in the formats that the structure fixes and with the structure, and what is fed.</summary>
    public (ModelProto Exported, ModelProto Written, IReadOnlyDictionary<string, Tensor> Fed) CutOut(StructureMatch match, IReadOnlyDictionary<string, Tensor> inputs)
    {
        Subgraph subgraph = partition.Subgraphs.Single(s => s.Nodes.Any(n => partition.View.Nodes[n].Output.Contains(match.Outputs[0])));
        ExtractedSubgraph extracted = Extraction.Extract(model, partition, Types, subgraph.Timed);
        var scenario = new Scenario("one", new Dictionary<string, long>(), 1, inputs);
        return (Rewrite(extracted.Model.Clone(), [], match.Fixed), Rewrite(extracted.Model.Clone(), [match], null), Capture.Run(model, [.. extracted.Inputs], scenario));
    }

    private ModelProto Rewrite(ModelProto proto, IReadOnlyList<StructureMatch> structures, IReadOnlyDictionary<string, string>? formats)
    {
        Dictionary<string, string> all = structures.SelectMany(s => s.Fixed).ToDictionary();
        foreach ((string layer, string format) in formats ?? new Dictionary<string, string>())
        {
            all.TryAdd(layer, format);
        }

        LayerRewriter.Apply(proto, [.. all.Select(f => (sites[f.Key], NumberFormats.Get(f.Value)))], name => Weights.Read(model, partition.View, name)!, structures: structures);
        return proto;
    }
}
