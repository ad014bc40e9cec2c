using System.Runtime.Intrinsics;

namespace MixedPrecision.Formats;

/// <summary>
/// A floating type of 16 or 8 bits: sign, exponent, mantissa. A float becomes the nearest value of the type, of two as near the one with an even mantissa; a magnitude beyond the
/// largest finite one becomes that one, as ONNX Cast-19 and QuantizeLinear-19 have it for 8 bits with saturate = 1.
/// </summary>
/// <param name="ElementType">The number that ONNX has for it.</param>
/// <param name="Bits">Bits of a value, 16 or 8.</param>
/// <param name="MantissaBits">m: bits of the mantissa that are stored.</param>
/// <param name="Bias">What is added to the exponent to store it.</param>
/// <param name="Largest">The largest finite value.</param>
internal sealed record FloatType(int ElementType, int Bits, int MantissaBits, int Bias, float Largest)
{
    private const int FloatMantissaBits = 23;
    private const int FloatBias = 127;

    /// <summary>Values rounded in one step.</summary>
    private const int Step = 32;

    /// <summary>IEEE 754 half precision.</summary>
    public static readonly FloatType Half = new(Onnx.ElementType.Float16, 16, 10, 15, 65504);

    /// <summary>The upper half of a float.</summary>
    public static readonly FloatType BFloat16 = new(Onnx.ElementType.BFloat16, 16, 7, 127, BitConverter.UInt32BitsToSingle(0x7F7F0000));

    /// <summary>E4M3FN: without infinities, whose codes are numbers.</summary>
    public static readonly FloatType E4M3 = new(Onnx.ElementType.Float8E4M3, 8, 3, 7, 448);

    /// <summary>E5M2: the upper half of half precision.</summary>
    public static readonly FloatType E5M2 = new(Onnx.ElementType.Float8E5M2, 8, 2, 15, 57344);

    /// <summary>The smallest value that has all bits of its mantissa; those below lie as close together as those above it.</summary>
    public float SmallestNormal => MathF.ScaleB(1, 1 - Bias);

    /// <summary>Distance of the values below <see cref="SmallestNormal"/>.</summary>
    public float SubnormalStep => MathF.ScaleB(1, 1 - Bias - MantissaBits);

    /// <summary>Whether its exponents are those of a float, so that no float of interest lies outside of its normal values.</summary>
    public bool HasRangeOfFloat => Bias == FloatBias;

    /// <summary>The smallest power of two s for which no value / s lies beyond <see cref="Largest"/>.</summary>
    /// <param name="largest">The largest magnitude of the values; 1 is what comes of 0.</param>
    public float ScaleFor(float largest)
    {
        // Exponents of a float, far enough from its ends for the scale and its reciprocal.
        int exponent = largest == 0 ? 0 : Math.Clamp(Math.ILogB(largest) - Math.ILogB(Largest), -100, 100);
        return MathF.ScaleB(1, MathF.ScaleB(Largest, exponent) < largest ? exponent + 1 : exponent);
    }

    /// <summary>Rounds value / scale.</summary>
    /// <param name="values">Finite numbers.</param>
    /// <param name="scale">A power of two, so that dividing rounds nothing.</param>
    /// <param name="codes">Bits/8 bytes a value.</param>
    public void Round(ReadOnlySpan<float> values, float scale, Span<byte> codes)
    {
        int bytes = Bits / 8, start = 0;
        Span<byte> last = stackalloc byte[Step * sizeof(ushort)];
        for (; start + Step <= values.Length; start += Step)
        {
            RoundStep(values.Slice(start, Step), scale, codes[(start * bytes)..]);
        }

        if (start < values.Length)
        {
            Span<float> padded = stackalloc float[Step];
            padded.Clear();
            values[start..].CopyTo(padded);
            RoundStep(padded, scale, last);
            last[..((values.Length - start) * bytes)].CopyTo(codes[(start * bytes)..]);
        }
    }

    private void RoundStep(ReadOnlySpan<float> values, float scale, Span<byte> codes)
    {
        Vector256<ushort> low = Vector256.Narrow(Codes(values, 0, scale), Codes(values, 8, scale)), high = Vector256.Narrow(Codes(values, 16, scale), Codes(values, 24, scale));
        if (Bits == 8)
        {
            Vector256.Narrow(low, high).CopyTo(codes);
            return;
        }

        low.AsByte().CopyTo(codes);
        high.AsByte().CopyTo(codes[Vector256<byte>.Count..]);
    }

    private Vector256<uint> Codes(ReadOnlySpan<float> values, int from, float scale)
    {
        Vector256<float> x = Vector256.Create(values.Slice(from, Vector256<float>.Count)) * Vector256.Create(1 / scale);
        Vector256<float> magnitude = Vector256.Min(Vector256.Abs(x), Vector256.Create(Largest));

        // Half to even: half a step less one bit carries into the mantissa's last bit, or a whole half when that is odd.
        int dropped = FloatMantissaBits - MantissaBits;
        Vector256<uint> bits = magnitude.AsUInt32();
        Vector256<uint> odd = Vector256.ShiftRightLogical(bits, dropped) & Vector256<uint>.One;
        Vector256<uint> normal = Vector256.ShiftRightLogical(bits + odd + Vector256.Create((1u << (dropped - 1)) - 1), dropped) - Vector256.Create((uint)(FloatBias - Bias) << MantissaBits);

        // Added to a number whose last bit weighs a step, a value is rounded to steps, which then count in its last bits.
        Vector256<float> anchor = Vector256.Create(MathF.ScaleB(SubnormalStep, FloatMantissaBits));
        Vector256<uint> subnormal = (magnitude + anchor).AsUInt32() - anchor.AsUInt32();

        Vector256<uint> isSubnormal = Vector256.LessThan(magnitude, Vector256.Create(SmallestNormal)).AsUInt32();
        Vector256<uint> sign = Vector256.ShiftLeft(Vector256.ShiftRightLogical(x.AsUInt32(), 31), Bits - 1);
        return Vector256.ConditionalSelect(isSubnormal, subnormal, normal) | sign;
    }
}
