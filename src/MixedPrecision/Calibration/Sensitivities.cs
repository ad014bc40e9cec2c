using System.Text.Json.Serialization;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Calibration;

/// <summary>What calibration finds out: the artifact of its stage.</summary>
/// <param name="Loss">Name of the loss.</param>
/// <param name="Samples">Number of calibration samples.</param>
/// <param name="MeanSquareLoss">E[g²], the scale of the budget.</param>
/// <param name="Layers">One entry a layer, in the order of the partition.</param>
public sealed record Sensitivities(string Loss, int Samples, double MeanSquareLoss, IReadOnlyList<LayerSensitivity> Layers)
{
    /// <summary>What rounding values adds that layers compute and read in ranges known beforehand; formats that hold them so are judged without it.</summary>
    public IReadOnlyList<HeldValue> Held { get; init; } = [];

    /// <summary>g² of each sample that counts, in their order.</summary>
    public IReadOnlyList<double> SquareLosses { get; init; } = [];

    /// <summary>Numbers of the calibration samples that were left out, since the loss, or its gradient by an output, is no finite number on them.</summary>
    public IReadOnlyList<int> NotFinite { get; init; } = [];

    /// <summary>How the loss reads the model's outputs, how it was guessed, and what was filled in for the data.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>What was left out, and which layers keep the baseline for what calibration saw of them. Kept with the result: they hold when it is reused.</summary>
    public IReadOnlyList<Diagnostic> Warnings { get; init; } = [];
}

/// <summary>What calibration can say of a layer.</summary>
public enum LayerState
{
    /// <summary>Its sensitivities hold.</summary>
    Judged,

    /// <summary>The loss does not depend on it, or no gradient reaches it.</summary>
    Unreached,

    /// <summary>Its weight, what it reads or gives, or a gradient holds NaN or an infinity: <see cref="LayerSensitivity.Fault"/> says which.</summary>
    NotFinite,

    /// <summary>It read nothing but zeros on all samples, so that nothing was seen of what a format does to it.</summary>
    ReadsZeros,

    /// <summary>No gradient other than zero reached it on any sample: the same.</summary>
    NoGradient,
}

/// <summary>How the loss reacts to one layer.</summary>
/// <param name="Name">The layer.</param>
/// <param name="Reachable">Whether the loss depends on the layer's output; if not, nothing else here means anything.</param>
/// <param name="TaylorActivation">E‖x ⊙ ẋ‖² over the layer's input, ẋ being the gradient through all readers of the value.</param>
/// <param name="TaylorWeight">E‖w ⊙ ẇ‖² over the weight, or over the second operand of a product of activations.</param>
/// <param name="Formats">By name, the formats that apply to the layer, without the baseline.</param>
public sealed record LayerSensitivity(
    string Name,
    bool Reachable,
    double TaylorActivation,
    double TaylorWeight,
    IReadOnlyDictionary<string, FormatSensitivity> Formats)
{
    /// <summary>What can be said of the layer. Only one that is judged may leave the baseline: a sensitivity of zero is no proof of another's harmlessness.</summary>
    public LayerState State { get; init; }

    /// <summary>Of a layer that is <see cref="LayerState.NotFinite"/>: which value is no finite number.</summary>
    public string? Fault { get; init; }

    /// <summary>Why the layer may not leave the baseline, or null when it may.</summary>
    [JsonIgnore]
    public string? Reason => State switch
    {
        LayerState.Judged => null,
        LayerState.Unreached => "the loss does not depend on it, as far as gradients tell",
        LayerState.NotFinite => Fault,
        LayerState.ReadsZeros => "it read nothing but zeros on all calibration samples",
        _ => "no gradient other than zero reached it on any calibration sample",
    };
}

/// <summary>The loss MSE that one layer in one format is predicted to add.</summary>
/// <param name="Taylor">By the noise model of the format: E[Σ σᵢ² żᵢ²] (design, section 5; the paper's sensitivity).</param>
/// <param name="Measured">By running the layer in the format: E[δ²].</param>
/// <param name="Rise">E[ρ], the second-order rise of the mean loss; 0 for losses without curvature.</param>
/// <param name="Deltas">δ = ⟨y_f − y, ẏ⟩, signed, one a sample.</param>
public sealed record FormatSensitivity(double Taylor, double Measured, double Rise, double[] Deltas);
