using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Structures;

/// <summary>Applies a structure to all sub-graphs of a model in which it is found.</summary>
internal static class Rewriting
{
    /// <summary>The matches by sub-graph.</summary>
    public static IReadOnlyList<(StructureSite Site, StructureMatch Match)> Find(OnnxModel model, Structure structure)
    {
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        var sites = partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(model, partition.View, types, l));
        return [.. partition.Subgraphs.Select(s => new StructureSite(model, partition, s, types, sites))
            .Select(s => (s, structure.Match(s))).Where(m => m.Item2 is not null).Select(m => (m.s, m.Item2!))];
    }

    /// <summary>The model with the matches in place of its own nodes.</summary>
    public static ModelProto Apply(OnnxModel model, IEnumerable<StructureMatch> matches) =>
        Quantizer.Emit(model, [], _ => throw new InvalidOperationException("no layer is rewritten"), structures: [.. matches]).Model;
}
