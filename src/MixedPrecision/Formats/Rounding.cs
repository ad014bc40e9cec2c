using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace MixedPrecision.Formats;

/// <summary>Rounding of weights to integers of 8 bits and less, half to even, 32 at a time.</summary>
internal static class Rounding
{
    private const int Step = 32;

    /// <summary>The smallest and the largest of some values and 0.</summary>
    public static (float Low, float High) Range(ReadOnlySpan<float> values)
    {
        float high = 0, low = 0;
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(values);
        Vector256<float> highs = default, lows = default;
        foreach (Vector256<float> vector in vectors)
        {
            highs = Vector256.Max(highs, vector);
            lows = Vector256.Min(lows, vector);
        }

        for (int i = 0; i < Vector256<float>.Count; i++)
        {
            high = MathF.Max(high, highs[i]);
            low = MathF.Min(low, lows[i]);
        }

        foreach (float value in values[(vectors.Length * Vector256<float>.Count)..])
        {
            high = MathF.Max(high, value);
            low = MathF.Min(low, value);
        }

        return (low, high);
    }

    /// <summary>The largest magnitude of the sum of values 2i and 2i + 1, of which those of the other sign count as 0.</summary>
    public static float LargestPair(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<Vector256<float>> vectors = MemoryMarshal.Cast<float, Vector256<float>>(values);
        Vector256<float> largest = default;
        foreach (Vector256<float> vector in vectors)
        {
            Vector256<float> other = Vector256.Shuffle(vector, Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6));
            largest = Vector256.Max(largest, Vector256.Max(vector, default) + Vector256.Max(other, default));
            largest = Vector256.Max(largest, Vector256.Max(-vector, default) + Vector256.Max(-other, default));
        }

        float result = 0;
        for (int i = 0; i < Vector256<float>.Count; i++)
        {
            result = MathF.Max(result, largest[i]);
        }

        for (int i = vectors.Length * Vector256<float>.Count; i < values.Length; i += 2)
        {
            float first = values[i], second = i + 1 < values.Length ? values[i + 1] : 0;
            result = MathF.Max(result, MathF.Max(MathF.Max(first, 0) + MathF.Max(second, 0), MathF.Max(-first, 0) + MathF.Max(-second, 0)));
        }

        return result;
    }

    /// <summary>round(value / scale) + offset, between 0 and the limit.</summary>
    public static void ToUnsigned(ReadOnlySpan<float> values, float scale, int offset, int limit, Span<byte> rounded) =>
        Round(values, scale, offset, 0, limit, rounded);

    /// <summary>round(value / scale), between −limit and limit, as signed bytes.</summary>
    public static void ToSigned(ReadOnlySpan<float> values, float scale, int limit, Span<byte> rounded) => Round(values, scale, 0, -limit, limit, rounded);

    private static void Round(ReadOnlySpan<float> values, float scale, int offset, int least, int most, Span<byte> rounded)
    {
        int start = 0;
        for (; start + Step <= values.Length; start += Step)
        {
            Vector256<int> Next(ReadOnlySpan<float> all, int from)
            {
                Vector256<float> quotient = Vector256.Round(Vector256.Create(all.Slice(from, Vector256<float>.Count)) / Vector256.Create(scale)) + Vector256.Create((float)offset);
                return Vector256.ConvertToInt32(Vector256.Min(Vector256.Max(quotient, Vector256.Create((float)least)), Vector256.Create((float)most)));
            }

            Vector256<short> low = Vector256.Narrow(Next(values, start), Next(values, start + 8));
            Vector256<short> high = Vector256.Narrow(Next(values, start + 16), Next(values, start + 24));
            Vector256.Narrow(low, high).AsByte().CopyTo(rounded[start..]);
        }

        for (; start < values.Length; start++)
        {
            rounded[start] = unchecked((byte)(int)Math.Clamp(MathF.Round(values[start] / scale) + offset, least, most));
        }
    }
}
