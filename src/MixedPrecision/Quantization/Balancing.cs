using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Quantization;

/// <summary>Layers whose input channels another layer can scale: see <see cref="ChannelBalance"/>.</summary>
public static class Balancing
{
    /// <summary>Layers with what calibration saw of what they read, and how the channels of that may be balanced.</summary>
    /// <param name="moments">By name of the activation.</param>
    /// <param name="weight">The tensor of a weight, by its value name.</param>
    public static IReadOnlyDictionary<string, LayerSite> Observe(
        GraphView view, IReadOnlyDictionary<string, LayerSite> sites, IReadOnlyDictionary<string, InputMoments> moments, Func<string, Tensor> weight)
    {
        IReadOnlyDictionary<string, LayerSite> producers = Producers(view, sites);
        return sites.ToDictionary(s => s.Key, s => s.Value.MomentsOf is string rows && moments.TryGetValue(rows, out InputMoments? own) ? s.Value with
        {
            Moments = own,
            Balance = producers.TryGetValue(s.Key, out LayerSite? producer)
                ? new ChannelBalance(producer.Layer.Name, own, () => ChannelBalance.Find(s.Value, weight(s.Value.Layer.Weight), own)) : null,
        } : s.Value);
    }

    /// <summary>
    /// By name of a layer, the layer that makes the channels of its input: x = g ⊙ (z·w), as in the gated part of a decoder, where nothing else reads x, z·w or w, and w is in float32.
    /// </summary>
    public static IReadOnlyDictionary<string, LayerSite> Producers(GraphView view, IReadOnlyDictionary<string, LayerSite> sites)
    {
        bool IsReadOnce(string value) => view.Consumers(value).Count == 1 && !view.IsOutput(value);
        Dictionary<string, LayerSite> byOutput = sites.Values
            .Where(s => s.HasWeightMatrix && s.Layer.Kind == LayerKind.MatMul && s.Weight.ElementType == ElementType.Float && s.Fault is null && IsReadOnce(s.Layer.Weight))
            .ToDictionary(s => s.Layer.Output);
        LayerSite? ProducerOf(LayerSite site) =>
            site.HasWeightMatrix && IsReadOnce(site.Layer.Input) && view.Producer(site.Layer.Input) is int node && view.Nodes[node] is { OpType: "Mul", Domain: "" or "ai.onnx" } product
                && product.Input[0] != product.Input[1]
                ? product.Input.Where(IsReadOnce).Select(byOutput.GetValueOrDefault).FirstOrDefault(p => p?.OutputSize == site.InputSize) : null;
        return sites.Values.Select(s => (s.Layer.Name, Producer: ProducerOf(s))).Where(p => p.Producer is not null).ToDictionary(p => p.Name, p => p.Producer!);
    }

    /// <summary>
    /// Layers with their formats, those whose format balances channels and whose producer is among them and no part of a structure as ones that read balanced channels, and their producers as ones
    /// that give these.
    /// </summary>
    /// <param name="isFixed">Whether a structure computes a layer.</param>
    internal static IReadOnlyList<(LayerSite Site, NumberFormat Format)> Resolve(IReadOnlyList<(LayerSite Site, NumberFormat Format)> assignments, Func<LayerSite, bool> isFixed)
    {
        HashSet<string> producers = [.. assignments.Where(a => !isFixed(a.Site)).Select(a => a.Site.Layer.Name)];
        bool IsBalanced((LayerSite Site, NumberFormat Format) a) => a.Format.BalancesChannels && a.Site.Balance is not null && !isFixed(a.Site) && producers.Contains(a.Site.Balance.Producer);
        Dictionary<string, float[]> scales = assignments.Where(IsBalanced).ToDictionary(a => a.Site.Balance!.Producer, a => a.Site.Balance!.Scales);
        return
        [
            .. assignments.Select(a => ((IsBalanced(a) ? a.Site.Balanced() : a.Site) with { OutputScales = scales.GetValueOrDefault(a.Site.Layer.Name) }, a.Format)),
        ];
    }

    /// <summary>A weight in its own layout with the columns divided.</summary>
    internal static Tensor Divide(LayerSite site, Tensor weight)
    {
        float[] values = weight.Values<float>().ToArray(), scales = site.OutputScales!;
        for (int i = 0; i < values.Length; i++)
        {
            values[i] /= scales[i % scales.Length];
        }

        return Tensor.Of<float>(values, weight.Shape);
    }
}
