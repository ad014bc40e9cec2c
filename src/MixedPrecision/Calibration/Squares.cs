using System.Numerics;
using System.Runtime.InteropServices;

namespace MixedPrecision.Calibration;

/// <summary>Sums of squares of gradients and of their products with what they are gradients of, read once.</summary>
internal static class Squares
{
    /// <summary>Σ (z ż)², summed in double from runs of 4,096.</summary>
    public static double OfProducts(ReadOnlySpan<float> values, ReadOnlySpan<float> gradient)
    {
        const int run = 4096;
        double sum = 0;
        for (int start = 0; start < gradient.Length; start += run)
        {
            int length = Math.Min(run, gradient.Length - start);
            sum += Block(values.Slice(start, length), gradient.Slice(start, length)).Weighted;
        }

        return sum;
    }

    /// <summary>Σ ẇ² and Σ (w ẇ)² of a run.</summary>
    public static (float Square, float Weighted) Block(ReadOnlySpan<float> weights, ReadOnlySpan<float> gradient)
    {
        ReadOnlySpan<Vector<float>> w = MemoryMarshal.Cast<float, Vector<float>>(weights), g = MemoryMarshal.Cast<float, Vector<float>>(gradient);
        Vector<float> squares = default, products = default;
        for (int i = 0; i < g.Length; i++)
        {
            Vector<float> product = w[i] * g[i];
            squares += g[i] * g[i];
            products += product * product;
        }

        float square = Vector.Sum(squares), weighted = Vector.Sum(products);
        for (int i = g.Length * Vector<float>.Count; i < gradient.Length; i++)
        {
            square += gradient[i] * gradient[i];
            weighted += weights[i] * gradient[i] * weights[i] * gradient[i];
        }

        return (square, weighted);
    }

    /// <summary>Σ (w ẇ)² of a row; ẇ² is added to the sums column by column.</summary>
    public static float Row(ReadOnlySpan<float> weights, ReadOnlySpan<float> gradient, Span<float> sums)
    {
        ReadOnlySpan<Vector<float>> w = MemoryMarshal.Cast<float, Vector<float>>(weights), g = MemoryMarshal.Cast<float, Vector<float>>(gradient);
        Span<Vector<float>> s = MemoryMarshal.Cast<float, Vector<float>>(sums);
        Vector<float> products = default;
        for (int i = 0; i < g.Length; i++)
        {
            Vector<float> product = w[i] * g[i];
            s[i] += g[i] * g[i];
            products += product * product;
        }

        float weighted = Vector.Sum(products);
        for (int i = g.Length * Vector<float>.Count; i < gradient.Length; i++)
        {
            sums[i] += gradient[i] * gradient[i];
            weighted += weights[i] * gradient[i] * weights[i] * gradient[i];
        }

        return weighted;
    }
}
