using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>8-bit weights in blocks of 32, scale per block: nearly exact weights at a quarter of the bytes. See <see cref="BlockWeights"/>.</summary>
internal static class Int8Weight
{
    public static readonly NumberFormat Format = BlockWeights.Format(FormatNames.Int8Weight, version: 1, bits: 8);
}
