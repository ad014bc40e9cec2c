using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Rivals;

/// <summary>A constant in 8 bits: w ≈ scale · (q − zero point), with one scale or one for each index of an axis.</summary>
/// <param name="Values">Of the constant's shape.</param>
/// <param name="Scales">A scalar, or [n].</param>
/// <param name="ZeroPoints">Of the shape of the scales.</param>
/// <param name="Axis">The axis that has scales of its own; null: one scale.</param>
internal sealed record RoundedConstant(Tensor Values, Tensor Scales, Tensor ZeroPoints, int? Axis);

/// <summary>Constants rounded as the tool rounds them: half to even.</summary>
internal static class RoundedConstants
{
    private const int Limit = 127;

    /// <summary>Signed and symmetric, from −127 to 127.</summary>
    /// <param name="axis">The axis that gets scales of its own, or null.</param>
    /// <param name="least">The least scale of an index, or null.</param>
    public static RoundedConstant Signed(Tensor constant, int? axis, Func<int, float>? least = null)
    {
        int channels = axis is int a ? (int)constant.Shape[a] : 1;
        int inner = axis is int b ? (int)Tensor.ElementCount(constant.Shape.AsSpan(b + 1)) : (int)constant.Count;
        ReadOnlySpan<float> values = constant.Values<float>();
        var scales = new float[channels];
        for (int i = 0; i < values.Length; i++)
        {
            int channel = i / inner % channels;
            scales[channel] = MathF.Max(scales[channel], MathF.Abs(values[i]));
        }

        for (int channel = 0; channel < channels; channel++)
        {
            float scale = scales[channel] / Limit;
            scales[channel] = !float.IsNormal(scale) ? 1 : least is null ? scale : MathF.Max(scale, least(channel));
        }

        var rounded = new sbyte[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            rounded[i] = (sbyte)Math.Clamp(MathF.Round(values[i] / scales[i / inner % channels]), -Limit, Limit);
        }

        long[] shape = axis is null ? [] : [channels];
        return new RoundedConstant(
            Tensor.Of<sbyte>(rounded, constant.Shape), Tensor.Of<float>(scales, shape), new Tensor(ElementType.Int8, shape, new byte[channels]), axis);
    }

    /// <summary>Unsigned, one range for all, from 0 to 255.</summary>
    public static RoundedConstant Unsigned(Tensor constant)
    {
        ReadOnlySpan<float> values = constant.Values<float>();
        ValueRange range = RangeOf(constant);
        var rounded = new byte[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            rounded[i] = (byte)Math.Clamp(MathF.Round(values[i] / range.Scale) + range.ZeroPoint, 0, byte.MaxValue);
        }

        return new RoundedConstant(Tensor.Of<byte>(rounded, constant.Shape), Tensor.Scalar(range.Scale), Tensor.Scalar((byte)range.ZeroPoint), null);
    }

    /// <summary>A bias in 32 bits with the scales of the sums it is added to.</summary>
    public static RoundedConstant Bias(Tensor bias, ReadOnlySpan<float> scales)
    {
        ReadOnlySpan<float> values = bias.Values<float>();
        var rounded = new int[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            rounded[i] = (int)Math.Clamp(Math.Round(values[i] / (double)scales[scales.Length == 1 ? 0 : i]), int.MinValue, int.MaxValue);
        }

        long[] shape = scales.Length == 1 ? [] : [scales.Length];
        return new RoundedConstant(
            Tensor.Of<int>(rounded, bias.Shape), Tensor.Of<float>(scales, shape), Tensor.Of<int>(new int[scales.Length], shape), scales.Length == 1 ? null : 0);
    }

    public static ValueRange RangeOf(Tensor constant)
    {
        float low = 0, high = 0;
        foreach (float value in constant.Values<float>())
        {
            (low, high) = (MathF.Min(low, value), MathF.Max(high, value));
        }

        return ValueRange.Of(low, high);
    }
}
