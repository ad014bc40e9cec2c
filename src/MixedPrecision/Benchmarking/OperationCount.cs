using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Benchmarking;

/// <summary>Counts multiply-accumulates: what theoretical time is made of.</summary>
internal static class OperationCount
{
    /// <summary>By layer name, the mean over the scenarios by their weights. Shapes come from one run of the model in each.</summary>
    /// <exception cref="Diagnostics.MixedPrecisionException">MPB5002: the model does not run in a scenario.</exception>
    public static IReadOnlyDictionary<string, double> Of(OnnxModel model, IEnumerable<LayerSite> sites, IReadOnlyList<Scenario> scenarios)
    {
        Layer[] layers = [.. sites.Select(s => s.Layer)];
        var counts = layers.ToDictionary(l => l.Name, _ => 0.0);
        foreach (Scenario scenario in scenarios)
        {
            IReadOnlyDictionary<string, Tensor> values = Capture.Run(model, [.. layers.SelectMany(l => new[] { l.Input, l.Output }).Distinct()], scenario);
            foreach (Layer layer in layers)
            {
                counts[layer.Name] += scenario.Weight * Of(layer, values[layer.Input], values[layer.Output]);
            }
        }

        return counts;
    }

    private static double Of(Layer layer, Tensor input, Tensor output) => layer.Kind switch
    {
        // Each output element of a convolution sums over its group's channels and the kernel; weight [M, C/group, kernel…].
        LayerKind.Conv => (double)output.Count * Tensor.ElementCount(layer.WeightShape.AsSpan(1)),
        // Each input element of a transposed one is spread over them; weight [C, M/group, kernel…].
        LayerKind.ConvTranspose => (double)input.Count * Tensor.ElementCount(layer.WeightShape.AsSpan(1)),
        LayerKind.Gemm => (double)output.Count * Tensor.ElementCount(layer.WeightShape) / output.Shape[^1],
        // Each row of the input meets the weights of all directions once.
        LayerKind.Recurrent => (double)input.Count / Math.Max(input.Shape[^1], 1) * layer.Parameters,
        LayerKind.Embedding => 0,
        _ => (double)output.Count * input.Shape[^1],
    };
}
