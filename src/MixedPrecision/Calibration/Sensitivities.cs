namespace MixedPrecision.Calibration;

/// <summary>What calibration finds out: the artifact of its stage.</summary>
/// <param name="Loss">Name of the loss.</param>
/// <param name="Samples">Number of calibration samples.</param>
/// <param name="MeanSquareLoss">E[g²], the scale of the budget.</param>
/// <param name="Layers">One entry a layer, in the order of the partition.</param>
public sealed record Sensitivities(string Loss, int Samples, double MeanSquareLoss, IReadOnlyList<LayerSensitivity> Layers);

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
    IReadOnlyDictionary<string, FormatSensitivity> Formats);

/// <summary>The loss MSE that one layer in one format is predicted to add.</summary>
/// <param name="Taylor">By the noise model of the format: E[Σ σᵢ² żᵢ²] (design, section 5; the paper's sensitivity).</param>
/// <param name="Measured">By running the layer in the format: E[δ²].</param>
/// <param name="Rise">E[ρ], the second-order rise of the mean loss; 0 for losses without curvature.</param>
/// <param name="Deltas">δ = ⟨y_f − y, ẏ⟩, signed, one a sample.</param>
public sealed record FormatSensitivity(double Taylor, double Measured, double Rise, double[] Deltas);
