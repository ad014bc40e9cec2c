using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>IEEE 754 half precision: 10 bits of mantissa, magnitudes from 6·10⁻⁸ to 65,504. See <see cref="FloatFormats"/>.</summary>
internal static class Fp16
{
    public static NumberFormat Of(FormatId id) => FloatFormats.Of(id.Text, version: 1, FloatType.Half, isScaled: false);
}
