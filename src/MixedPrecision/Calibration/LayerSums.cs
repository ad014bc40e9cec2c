using MixedPrecision.Calibration.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>What is summed over samples for one layer.</summary>
internal sealed class LayerSums
{
    private readonly Dictionary<string, double> taylor = [];
    private readonly Dictionary<string, FormatSums> formats = [];
    private double weight;

    /// <summary>Adds Σ σᵢ² żᵢ² over the activation operands of one sample.</summary>
    public void AddActivationNoise(string format, double noise) => taylor[format] = taylor.GetValueOrDefault(format) + noise;

    /// <summary>Adds δ of one sample, and its rise.</summary>
    public void AddChange(string format, double delta, double rise)
    {
        if (!formats.TryGetValue(format, out FormatSums? sums))
        {
            formats.Add(format, sums = new FormatSums());
        }

        sums.Deltas.Add(delta);
        sums.Rise += rise;
    }

    /// <summary>Adds the terms of the weight, which are linear in Σ ẇ² over samples.</summary>
    public void AddWeight(LayerSite site, Tensor tensor, float[] squaredGradients, IEnumerable<NumberFormat> applicable)
    {
        ReadOnlySpan<float> values = tensor.Values<float>();
        for (int i = 0; i < values.Length; i++)
        {
            weight += (double)values[i] * values[i] * squaredGradients[i];
        }

        foreach (NumberFormat format in applicable)
        {
            taylor[format.Name] = taylor.GetValueOrDefault(format.Name) + format.WeightNoise(site, tensor, squaredGradients);
        }
    }

    /// <param name="samples">How many samples were added.</param>
    /// <param name="activation">E‖x ⊙ ẋ‖².</param>
    /// <param name="second">E‖z ⊙ ż‖² of the second activation, or null for a weight.</param>
    public LayerSensitivity Result(string name, bool reachable, int samples, double activation, double? second) => new(
        name,
        reachable,
        activation,
        second ?? weight / samples,
        formats.ToDictionary(f => f.Key, f => new FormatSensitivity(
            taylor.GetValueOrDefault(f.Key) / samples,
            f.Value.Deltas.Average(d => d * d),
            f.Value.Rise / samples,
            [.. f.Value.Deltas])));

    private sealed class FormatSums
    {
        public readonly List<double> Deltas = [];
        public double Rise;
    }
}
