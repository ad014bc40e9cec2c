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
        (LayerSite Site, NumberFormat Format)[] rewritten = [.. assignments.Where(a => a.Format != NumberFormats.Baseline && a.Site.Layer.HasWeight)];
        Dictionary<string, int> gone = rewritten.CountBy(r => r.Site.Layer.Weight).ToDictionary();
        (IReadOnlySet<string> values, IReadOnlySet<NodeProto> nodes) = readers.Unread(gone.Keys, gone);
        long stored = values.Select(initializers.GetValueOrDefault).Concat(nodes.Select(Weights.Stored)).OfType<TensorProto>().Sum(TensorProtos.ByteCount);
        long added = rewritten
            .DistinctBy(r => (r.Site.Layer.Weight, r.Format.Name, r.Site.IsWeightTransposed, Alpha(r.Site), r.Format.ReadsMoments ? r.Site.Moments?.Hash : null))
            .Sum(r => r.Format.Bytes(r.Site));
        return stored - added;
    }

    private static float Alpha(LayerSite site) => site.Layer.Kind == LayerKind.Gemm ? site.Node.Float("alpha", 1) : 1;
}
