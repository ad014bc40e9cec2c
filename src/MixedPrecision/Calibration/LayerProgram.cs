namespace MixedPrecision.Calibration;

/// <summary>The values of a segment's two models that belong to one layer, under the segment's canonical names.</summary>
/// <param name="Input">x, the layer's activation: an input of the segment or an output of the backward model.</param>
/// <param name="Second">The second operand of a product of activations, likewise; null for weights, which are known.</param>
/// <param name="Further">What else it reads that is not constant, likewise.</param>
/// <param name="Output">y, an output of the forward model where layer outputs are kept, else of the backward model; of several results all elements in a row; null where no other format is judged.</param>
/// <param name="OutputGradient">ẏ, or null when the loss does not depend on the layer.</param>
/// <param name="DrawnOutputGradient">ẏ for labels drawn from the model; null where none are.</param>
/// <param name="WeightGradients">ẇ of each weight, of its shape; none for products of activations, and for weights whose gradient the backward model does not compute.</param>
/// <param name="ActivationNoise">By format, Σ σᵢ² żᵢ² over the activation operands, a scalar.</param>
internal sealed record LayerProgram(
    string Input,
    string? Second,
    IReadOnlyList<string> Further,
    string? Output,
    string? OutputGradient,
    string? DrawnOutputGradient,
    IReadOnlyList<string> WeightGradients,
    IReadOnlyDictionary<string, string> ActivationNoise)
{
    /// <summary>What the backward model gives for the layer, besides its operands and result.</summary>
    public IEnumerable<string> Outputs => new[] { OutputGradient, DrawnOutputGradient }.OfType<string>().Concat(WeightGradients).Concat(ActivationNoise.Values);

    /// <summary>What it reads and, where other formats are judged, gives.</summary>
    public IEnumerable<string> Values => new[] { Input, Second, Output }.OfType<string>().Concat(Further);
}
