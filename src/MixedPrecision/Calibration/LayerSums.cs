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

    /// <summary>What was no finite number on some sample, and on which, or null; nothing that was summed counts then.</summary>
    public string? Fault { get; set; }

    /// <summary>Whether the layer read a value other than zero on some sample.</summary>
    public bool ReadsValues { get; set; }

    /// <summary>Whether a gradient other than zero reached its output on some sample.</summary>
    public bool HasGradient { get; set; }

    /// <param name="sample">Where the sample comes from, for people.</param>
    internal void Add(LayerTerms terms, string sample)
    {
        ReadsValues |= terms.ReadsValues;
        HasGradient |= terms.HasGradient;
        Fault ??= (terms.Fault ?? (terms.AreFinite ? null : Faults.Of())) is { } fault ? $"{fault} on {sample}" : null;
        if (Fault is not null)
        {
            return;
        }

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

    /// <summary>What a format, or the rounding of a value, adds; null where nothing was found or a value is no number.</summary>
    /// <param name="samples">How many samples were added.</param>
    internal FormatSensitivity? Of(string format, int samples) => Fault is not null || !Deltas.TryGetValue(format, out List<double>? deltas) || deltas.Count != samples ? null
        : new FormatSensitivity(Taylor.GetValueOrDefault(format) / samples, deltas.Average(d => d * d), Rises[format] / samples, [.. deltas]);

    /// <param name="samples">How many samples were added.</param>
    /// <param name="activation">E‖x ⊙ ẋ‖².</param>
    /// <param name="second">E‖z ⊙ ż‖² of the second activation, or null for a weight.</param>
    /// <param name="fault">What is no finite number in what the layer reads, or null.</param>
    internal LayerSensitivity Result(string name, bool reachable, int samples, double activation, double? second, string? fault)
    {
        fault ??= Fault;
        bool isJudged = reachable && fault is null && Deltas.Count > 0;
        return new LayerSensitivity(
            name,
            reachable,
            activation,
            second ?? Weight / samples,
            fault is not null ? new Dictionary<string, FormatSensitivity>() : Deltas.Keys.Where(f => !HeldValues.IsRounding(f)).ToDictionary(f => f, f => Of(f, samples)!))
        {
            State = !reachable ? LayerState.Unreached
                : fault is not null ? LayerState.NotFinite
                : isJudged && !ReadsValues ? LayerState.ReadsZeros
                : isJudged && !HasGradient ? LayerState.NoGradient
                : LayerState.Judged,
            Fault = reachable ? fault : null,
        };
    }
}
