using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>8 bits with 2 of mantissa and the range of half precision: activations are taken as they are. See <see cref="FloatFormats"/>.</summary>
internal static class Fp8E5M2
{
    public static NumberFormat Of(FormatId id) => FloatFormats.Of(id.Text, version: 1, FloatType.E5M2, isScaled: false);
}
