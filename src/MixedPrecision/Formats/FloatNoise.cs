using System.Numerics;
using System.Runtime.InteropServices;
using MixedPrecision.Onnx;

namespace MixedPrecision.Formats;

/// <summary>
/// The noise that rounding to a floating type of m mantissa bits adds. A value z that has all bits of its mantissa gets the variance αz², α = 2^(−2m)/12 (paper, section 3); one below the
/// smallest such value, or beyond the largest, adds the square of the error that it really makes, since that is not relative to it.
/// </summary>
internal static class FloatNoise
{
    /// <summary>√α: the standard deviation of a value's noise, relative to the value.</summary>
    public static double Relative(FloatType type) => Math.ScaleB(1, -type.MantissaBits) / Math.Sqrt(12);

    /// <summary>Adds nodes for Σ σ² ż², a scalar, from an activation z that is rounded as z / scale.</summary>
    /// <param name="scale">A scalar value with which nothing lies beyond the largest, or null for 1.</param>
    public static string OfActivation(GraphBuilder b, FloatType type, string z, string gradient, string? scale)
    {
        string value = scale is null ? z : b.Div(z, scale), magnitude = b.Abs(value);
        string deviation = b.Mul(magnitude, b.Scalar(Relative(type)));
        if (!type.HasRangeOfFloat)
        {
            string step = b.Scalar(type.SubnormalStep);
            string error = b.Sub(magnitude, b.Mul(b.Node("Round", [b.Div(magnitude, step)]), step));
            deviation = b.Where(b.Less(magnitude, b.Scalar(type.SmallestNormal)), error, deviation);
        }

        if (!type.HasRangeOfFloat && scale is null)
        {
            string largest = b.Scalar(type.Largest);
            deviation = b.Where(b.Greater(magnitude, largest), b.Sub(magnitude, largest), deviation);
        }

        string noise = b.Node("ReduceSumSquare", [b.Mul(deviation, gradient)], Attributes.Of("keepdims", 0));
        return scale is null ? noise : b.Mul(noise, b.Square(scale));
    }

    /// <summary>The standard deviation of the noise of each weight that is rounded as weight / scale; where the error itself counts, its magnitude.</summary>
    public static void OfWeights(FloatType type, float scale, ReadOnlySpan<float> weights, Span<float> deviations)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(weights);
        Span<Vector<float>> results = MemoryMarshal.Cast<float, Vector<float>>(deviations[..weights.Length]);
        for (int i = 0; i < vectors.Length; i++)
        {
            results[i] = Deviations(type, scale, vectors[i]);
        }

        int start = vectors.Length * Vector<float>.Count;
        if (start < weights.Length)
        {
            Span<float> padded = stackalloc float[Vector<float>.Count];
            padded.Clear();
            weights[start..].CopyTo(padded);
            Deviations(type, scale, new Vector<float>(padded)).CopyTo(padded);
            padded[..(weights.Length - start)].CopyTo(deviations[start..]);
        }
    }

    private static Vector<float> Deviations(FloatType type, float scale, Vector<float> weights)
    {
        Vector<float> magnitude = Vector.Abs(weights), largest = new(type.Largest * scale);
        Vector<float> deviation = magnitude * new Vector<float>((float)Relative(type));

        // Adding a number whose last bit weighs a step rounds to steps.
        var anchor = new Vector<float>(MathF.ScaleB(type.SubnormalStep * scale, 23));
        deviation = Vector.ConditionalSelect(Vector.LessThan(magnitude, new Vector<float>(type.SmallestNormal * scale)), Vector.Abs(magnitude - ((magnitude + anchor) - anchor)), deviation);
        return Vector.ConditionalSelect(Vector.GreaterThan(magnitude, largest), magnitude - largest, deviation);
    }
}
