using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Quantization;

/// <summary>Bytes that plans really save in the emitted file.</summary>
/// <param name="graph">The original's main graph.</param>
public sealed class Savings(GraphProto graph)
{
    private readonly ValueReaders readers = new(graph);
    private readonly Dictionary<string, TensorProto> initializers = graph.Initializer.ToDictionary(t => t.Name);

    /// <summary>
    /// Bytes of stored tensors that go, less those that come. A weight goes only when nothing reads it any more: no layer in the baseline, no Gather, no
    /// branch that captures it, and it is no output. What comes counts once for each weight, way to read it, format and, where that decides, activation that is multiplied by it, however many layers read it. Negative when the file grows.
    /// </summary>
    /// <param name="assignments">Layers with their formats; those in the baseline need not be among them.</param>
    public long Bytes(IEnumerable<(LayerSite Site, NumberFormat Format)> assignments)
    {
        (LayerSite Site, NumberFormat Format)[] rewritten = [.. assignments.Where(a => a.Format != NumberFormats.Baseline).SelectMany(a => a.Site.ByWeight, (a, own) => (own, a.Format))];
        Dictionary<string, int> gone = rewritten.CountBy(r => r.Site.Layer.Weight).ToDictionary();
        (IReadOnlySet<string> values, IReadOnlySet<NodeProto> nodes) = readers.Unread(gone.Keys, gone);
        long stored = values.Select(initializers.GetValueOrDefault).Concat(nodes.Select(Weights.Stored)).OfType<TensorProto>().Sum(TensorProtos.ByteCount);
        long added = rewritten
            .DistinctBy(r => (r.Site.Layer.Weight, r.Format.Name, r.Site.IsWeightTransposed, r.Site.IsEmbedding, Alpha(r.Site), r.Format.ReadsMoments ? r.Site.Moments?.Hash : null))
            .Sum(r => r.Format.Bytes(r.Site));
        return stored - added;
    }

    /// <summary>
    /// Stored tensors that layers of several sub-graphs read and nothing else, with their bytes: these go once none of the layers is in the baseline, and <see cref="Bytes"/> of a single
    /// sub-graph does not count them.
    /// </summary>
    /// <param name="view">The same graph.</param>
    /// <param name="layers">All layers of the model, each with the number of its sub-graph.</param>
    public IReadOnlyList<(IReadOnlyList<Layer> Layers, long Bytes)> Shared(GraphView view, IEnumerable<(Layer Layer, int Subgraph)> layers)
    {
        var shared = new List<(IReadOnlyList<Layer>, long)>();
        var byWeight = layers.SelectMany(l => l.Layer.ByWeight, (l, own) => (own.Weight, l.Layer, l.Subgraph));
        foreach (var readings in byWeight.SelectMany(l => Region.StoredConstants(view, l.Weight), (l, Stored) => (Stored, l.Weight, l.Layer, l.Subgraph)).GroupBy(r => r.Stored))
        {
            if (readings.Select(r => r.Subgraph).Distinct().Skip(1).Any())
            {
                Dictionary<string, int> gone = readings.CountBy(r => r.Weight).ToDictionary();
                (IReadOnlySet<string> values, IReadOnlySet<NodeProto> nodes) = readers.Unread(gone.Keys, gone);
                TensorProto? tensor = !values.Contains(readings.Key) ? null
                    : initializers.GetValueOrDefault(readings.Key) ?? nodes.Where(n => n.Output.Contains(readings.Key)).Select(Weights.Stored).FirstOrDefault();
                if (tensor is not null)
                {
                    shared.Add(([.. readings.Select(r => r.Layer)], TensorProtos.ByteCount(tensor)));
                }
            }
        }

        return shared;
    }

    private static float Alpha(LayerSite site) => site.Layer.Kind == LayerKind.Gemm ? site.Node.Float("alpha", 1) : 1;
}
