using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>8 bits with 3 of mantissa, magnitudes over 17 powers of two: activations are scaled by their largest in each run. See <see cref="FloatFormats"/>.</summary>
internal static class Fp8E4M3
{
    public static NumberFormat Of(FormatId id) => FloatFormats.Of(id.Text, version: 1, FloatType.E4M3, isScaled: true);
}
