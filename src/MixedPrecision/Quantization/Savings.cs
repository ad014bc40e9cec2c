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
        long added = rewritten.DistinctBy(r => PreparedAs(r.Site, r.Format)).Sum(r => r.Format.Bytes(r.Site));
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
        (Layer Layer, int Subgraph)[] all = [.. layers];
        var subgraphs = all.ToDictionary(l => l.Layer.Name, l => l.Subgraph);
        return [.. Stored(view, all.Select(l => l.Layer)).Where(stored => stored.Layers.Select(l => subgraphs[l.Name]).Distinct().Skip(1).Any())];
    }

    /// <summary>
    /// The same bytes as a sum: what a file holds when any of some layers has some format. Stored tensors are held while any layer that reads them is in the baseline, and constants of a format once for all layers that share them.
    /// Tensors that stay whatever is chosen are not among them.
    /// </summary>
    /// <param name="view">The same graph.</param>
    /// <param name="layers">All layers of the model, with the formats that they may have.</param>
    public IReadOnlyList<(IReadOnlyList<(string Layer, string Format)> Any, long Bytes)> Held(GraphView view, IReadOnlyList<(LayerSite Site, IReadOnlyList<NumberFormat> Formats)> layers) =>
    [
        .. Stored(view, layers.Select(l => l.Site.Layer)).Select(stored => (((string, string)[])[.. stored.Layers.Select(l => l.Name).Distinct().Select(l => (l, NumberFormats.Baseline.Name))], stored.Bytes)),
        .. layers.SelectMany(l => l.Formats.Where(f => f != NumberFormats.Baseline).SelectMany(f => l.Site.ByWeight.Select(own => (l.Site, Own: own, Format: f)))).GroupBy(l => PreparedAs(l.Own, l.Format))
            .Select(same => (((string, string)[])[.. same.Select(l => (l.Site.Layer.Name, l.Format.Name)).Distinct()], same.First().Format.Bytes(same.First().Own))),
    ];

    /// <summary>Stored tensors that go once none of the layers that read them is in the baseline.</summary>
    private IEnumerable<(IReadOnlyList<Layer> Layers, long Bytes)> Stored(GraphView view, IEnumerable<Layer> layers)
    {
        var byWeight = layers.SelectMany(l => l.ByWeight, (layer, own) => (own.Weight, Layer: layer));
        foreach (var readings in byWeight.SelectMany(l => Region.StoredConstants(view, l.Weight), (l, Stored) => (Stored, l.Weight, l.Layer)).GroupBy(r => r.Stored))
        {
            Dictionary<string, int> gone = readings.CountBy(r => r.Weight).ToDictionary();
            (IReadOnlySet<string> values, IReadOnlySet<NodeProto> nodes) = readers.Unread(gone.Keys, gone);
            TensorProto? tensor = !values.Contains(readings.Key) ? null
                : initializers.GetValueOrDefault(readings.Key) ?? nodes.Where(n => n.Output.Contains(readings.Key)).Select(Weights.Stored).FirstOrDefault();
            if (tensor is not null)
            {
                yield return ([.. readings.Select(r => r.Layer)], TensorProtos.ByteCount(tensor));
            }
        }
    }

    /// <summary>What decides on the constants of a format: layers that agree in it share them.</summary>
    private static (string, string, bool, bool, float, string?) PreparedAs(LayerSite site, NumberFormat format) =>
        (site.Layer.Weight, format.Name, site.IsWeightTransposed, site.IsEmbedding, Alpha(site), format.ReadsMoments ? site.Moments?.Hash : null);

    private static float Alpha(LayerSite site) => site.Layer.Kind == LayerKind.Gemm ? site.Node.Float("alpha", 1) : 1;
}
