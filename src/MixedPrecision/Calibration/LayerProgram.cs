using MixedPrecision.Calibration.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Calibration;

/// <summary>The values of the backward model that belong to one layer.</summary>
/// <param name="Site">The layer.</param>
/// <param name="Input">x, the layer's activation.</param>
/// <param name="Second">The second operand of a product of activations; null for weights, which are known.</param>
/// <param name="OutputGradient">ẏ, or null when the loss does not depend on the layer.</param>
/// <param name="WeightGradient">ẇ, of the weight's shape; null for products of activations.</param>
/// <param name="ActivationNoise">By format, Σ σᵢ² żᵢ² over the activation operands, a scalar.</param>
internal sealed record LayerProgram(
    LayerSite Site,
    string Input,
    string? Second,
    string? OutputGradient,
    string? WeightGradient,
    IReadOnlyDictionary<string, string> ActivationNoise)
{
    /// <summary>All values that the backward model gives for the layer; the layer's own output among them.</summary>
    public IEnumerable<string> Outputs => OutputGradient is null
        ? []
        : new[] { Input, Second, Site.Layer.Output, OutputGradient, WeightGradient }.OfType<string>().Concat(ActivationNoise.Values);

    /// <summary>Adds the nodes for the Taylor terms of one layer.</summary>
    /// <param name="found">Gradients by value, of the operands and the output.</param>
    public static LayerProgram Create(GraphBuilder b, LayerSite site, string input, string weight, IReadOnlyDictionary<string, string> found, IReadOnlyList<string> formats)
    {
        bool isProduct = site.Layer.Kind == LayerKind.ActivationMatMul;
        string? second = isProduct ? weight : null;
        var noise = new Dictionary<string, string>();
        if (!found.TryGetValue(site.Layer.Output, out string? outputGradient))
        {
            return new LayerProgram(site, input, second, null, null, noise);
        }

        string inputGradient = found[input], weightGradient = found[weight];
        foreach (NumberFormat format in formats.Select(NumberFormats.Get).Where(f => f.InputVariance is not null && f.WhyNot(site) is null))
        {
            string sum = Noise(b, site, format, input, inputGradient);
            noise[format.Name] = isProduct ? b.Add(sum, Noise(b, site, format, weight, weightGradient)) : sum;
        }

        return new LayerProgram(site, input, second, outputGradient, isProduct ? null : weightGradient, noise);
    }

    private static string Noise(GraphBuilder b, LayerSite site, NumberFormat format, string operand, string gradient) =>
        b.ReduceSum(b.Mul(format.InputVariance!(b, site, operand), b.Mul(gradient, gradient)));
}
