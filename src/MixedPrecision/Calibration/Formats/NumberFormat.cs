using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration.Formats;

/// <summary>
/// A way to run a layer. All that belongs to one format stands in its own file: where it applies, what it does to the weights, the
/// nodes that replace the layer's, its noise model, its bytes and its theoretical cost. <see cref="NumberFormats"/> lists them.
/// </summary>
/// <param name="Name">The name in policies and manifests, e.g. "int8-dynamic".</param>
/// <param name="Version">Raised when what the format emits changes; part of the keys of timings and sensitivities.</param>
/// <param name="TimePerMac">Theoretical time of one multiply-accumulate, relative to fp32.</param>
/// <param name="WhyNot">The reason why the format cannot run a layer, or null when it can.</param>
/// <param name="Prepare">The constants that replace a layer's weight, in the order <paramref name="Emit"/> reads them. Empty for products of activations.</param>
/// <param name="Emit">Adds the nodes that compute the layer's output in this format.</param>
/// <param name="InputVariance">
/// Adds nodes for the variance σ² of the rounding noise on an activation operand (broadcastable to it), from the operand itself; null when
/// the format keeps activations exact.
/// </param>
/// <param name="WeightNoise">
/// Σ σᵢ² E[ẇᵢ²] over the weight: the loss MSE that rounding it adds by the noise model of the paper (section 3, σ² = Δ²/12 for integer
/// formats). Arguments: the layer, its weight, and E[ẇ²] per element in the weight's own layout.
/// </param>
/// <param name="Bytes">Bytes of the layer's constants in this format.</param>
public sealed record NumberFormat(
    string Name,
    int Version,
    double TimePerMac,
    Func<LayerSite, string?> WhyNot,
    Func<LayerSite, Tensor, IReadOnlyList<Tensor>> Prepare,
    Action<LayerEmission> Emit,
    Func<GraphBuilder, LayerSite, string, string>? InputVariance,
    Func<LayerSite, Tensor, float[], double> WeightNoise,
    Func<LayerSite, long> Bytes);
