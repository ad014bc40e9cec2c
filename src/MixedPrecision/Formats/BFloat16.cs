using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>bfloat16: the range of a float with 7 bits of mantissa. See <see cref="FloatFormats"/>.</summary>
internal static class BFloat16
{
    public static NumberFormat Of(FormatId id) => FloatFormats.Of(id.Text, version: 1, FloatType.BFloat16, isScaled: false);
}
