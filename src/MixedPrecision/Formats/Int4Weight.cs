using MixedPrecision.Policies;

namespace MixedPrecision.Formats;

/// <summary>4-bit weights in blocks of 32, scale per block: an eighth of the bytes of float32, plus scales. See <see cref="BlockWeights"/>.</summary>
internal static class Int4Weight
{
    public static readonly NumberFormat Format = BlockWeights.Format(FormatNames.Int4Weight, version: 1, bits: 4);
}
