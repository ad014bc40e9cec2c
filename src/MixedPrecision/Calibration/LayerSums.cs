namespace MixedPrecision.Calibration;

/// <summary>What is summed over samples for one layer.</summary>
public sealed class LayerSums
{
    /// <summary>Σ of the Taylor terms by format, weights and activations together.</summary>
    public Dictionary<string, double> Taylor { get; init; } = [];

    /// <summary>δ of every sample by format.</summary>
    public Dictionary<string, List<double>> Deltas { get; init; } = [];

    /// <summary>Σ ρ by format.</summary>
    public Dictionary<string, double> Rises { get; init; } = [];

    /// <summary>Σ (w ẇ)².</summary>
    public double Weight { get; set; }

    internal void Add(LayerTerms terms)
    {
        Weight += terms.Weight;
        foreach ((string format, double noise) in terms.Taylor)
        {
            Taylor[format] = Taylor.GetValueOrDefault(format) + noise;
        }

        foreach ((string format, (double delta, double drawn)) in terms.Changes)
        {
            if (!Deltas.TryGetValue(format, out List<double>? deltas))
            {
                Deltas.Add(format, deltas = []);
            }

            deltas.Add(delta);
            Rises[format] = Rises.GetValueOrDefault(format) + (0.5 * drawn * drawn);
        }
    }

    /// <param name="samples">How many samples were added.</param>
    /// <param name="activation">E‖x ⊙ ẋ‖².</param>
    /// <param name="second">E‖z ⊙ ż‖² of the second activation, or null for a weight.</param>
    internal LayerSensitivity Result(string name, bool reachable, int samples, double activation, double? second) => new(
        name,
        reachable,
        activation,
        second ?? Weight / samples,
        Deltas.ToDictionary(f => f.Key, f => new FormatSensitivity(
            Taylor.GetValueOrDefault(f.Key) / samples,
            f.Value.Average(d => d * d),
            Rises[f.Key] / samples,
            [.. f.Value])));
}
