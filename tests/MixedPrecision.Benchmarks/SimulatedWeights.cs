using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarks;

/// <summary>
/// Weights rounded as <see cref="BlockWeights"/> rounds them, in blocks of 32, and put back as floats: the error of the weights alone, for any
/// number of bits, with or without a kernel. Layers that such a format cannot hold keep the baseline.
/// </summary>
internal static class SimulatedWeights
{
    private const int Block = 32;

    public static NumberFormat Format(int bits)
    {
        NumberFormat real = BlockWeights.Symmetric(FormatId.Parse(FormatFamilies.Int8Weight), bits, Block);
        return real with
        {
            Name = $"int{bits}-simulated",
            Prepare = (site, weight) => [Round(site, weight, real.WeightSteps(site, weight), bits)],
            Emit = e => e.Product("MatMul", "", [e.Input, e.Constants[0]]),
            InputNoise = null,
        };
    }

    /// <summary>The weight as [inputs, outputs], w ≈ s·q, −2^(bits−1) ≤ q &lt; 2^(bits−1).</summary>
    private static Tensor Round(LayerSite site, Tensor weight, float[] scales, int bits)
    {
        int outputs = site.OutputSize, blocks = (site.InputSize + Block - 1) / Block, limit = 1 << (bits - 1);
        var rounded = new float[site.InputSize * outputs];
        site.ForEachColumn(weight, (column, values) =>
        {
            for (int i = 0; i < values.Length; i++)
            {
                float scale = scales[(column * blocks) + (i / Block)];
                rounded[(i * outputs) + column] = scale * Math.Clamp(MathF.Round(values[i] / scale), -limit, limit - 1);
            }
        });
        return Tensor.Of<float>(rounded, site.InputSize, outputs);
    }
}
