using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>Operators of two and more operands that broadcast. Gradients have the output's shape; the walker sums them.</summary>
internal static class Arithmetic
{
    public static IReadOnlyList<string?> Add(GradientContext c) => [c.Upstream, c.Upstream];

    public static IReadOnlyList<string?> Sub(GradientContext c) => [c.Upstream, c.Needs(1) ? c.B.Neg(c.Upstream) : null];

    public static IReadOnlyList<string?> Mul(GradientContext c) =>
        [c.Needs(0) ? c.B.Mul(c.Upstream, c.Input(1)) : null, c.Needs(1) ? c.B.Mul(c.Upstream, c.X) : null];

    /// <summary>∂(a/b) = da/b − db·y/b.</summary>
    public static IReadOnlyList<string?> Div(GradientContext c)
    {
        string quotient = c.B.Div(c.Upstream, c.Input(1));
        return [quotient, c.Needs(1) ? c.B.Neg(c.B.Mul(quotient, c.Y)) : null];
    }

    /// <summary>With fmod=1, the only mode for floats: a − b·trunc(a/b).</summary>
    public static IReadOnlyList<string?> Mod(GradientContext c)
    {
        GraphBuilder b = c.B;
        string Truncated()
        {
            string ratio = b.Div(c.X, c.Input(1));
            return b.Mul(b.Sign(ratio), b.Floor(b.Abs(ratio)));
        }

        return [c.Upstream, c.Needs(1) ? b.Neg(b.Mul(c.Upstream, Truncated())) : null];
    }

    public static IReadOnlyList<string?> Sum(GradientContext c) => [.. c.Node.Input.Select(_ => c.Upstream)];

    public static IReadOnlyList<string?> Mean(GradientContext c)
    {
        string share = c.Node.Input.Count == 1 ? c.Upstream : c.B.Mul(c.Upstream, c.Scalar(1.0 / c.Node.Input.Count));
        return [.. c.Node.Input.Select(_ => share)];
    }

    /// <summary>Max and Min: where several operands attain the extremum, they share the gradient equally.</summary>
    public static IReadOnlyList<string?> Extremum(GradientContext c)
    {
        if (c.Node.Input.Count == 1)
        {
            return [c.Upstream];
        }

        string extremum = c.OutputAgain();
        string[] masks = [.. c.Node.Input.Select(i => c.Mask(c.B.Equal(i, extremum)))];
        string share = c.B.Div(c.Upstream, c.B.Sum(masks));
        return [.. masks.Select((mask, i) => c.Needs(i) ? c.B.Mul(share, mask) : null)];
    }

    public static IReadOnlyList<string?> Where(GradientContext c)
    {
        string zero = c.B.Scalar(0, c.Type(c.Y).ElementType);
        return [null, c.Needs(1) ? c.B.Where(c.X, c.Upstream, zero) : null, c.Needs(2) ? c.B.Where(c.X, zero, c.Upstream) : null];
    }

    /// <summary>dx = p·x^(p−1), with the usual exponents written out; dp = y·ln x, which is 0 for x ≤ 0, where no derivative exists.</summary>
    public static IReadOnlyList<string?> Pow(GradientContext c) => [c.Needs(0) ? PowBase(c) : null, c.Needs(1) ? PowExponent(c) : null];

    private static string PowBase(GradientContext c)
    {
        GraphBuilder b = c.B;
        if (ScalarOf(c.ConstantInput(1)) is double exponent)
        {
            string scaled = exponent == 1 ? c.Upstream : b.Mul(c.Upstream, c.Scalar(exponent));
            return exponent switch
            {
                0 => b.Mul(c.Upstream, c.Scalar(0)),
                1 => scaled,
                2 => b.Mul(scaled, c.X),
                0.5 => b.Div(scaled, c.Y),
                -1 => b.Mul(scaled, b.Square(c.Y)),
                _ => b.Mul(scaled, b.Pow(c.X, c.Scalar(exponent - 1))),
            };
        }

        string power = b.Cast(c.Input(1), c.ElementType);
        string slope = b.Mul(power, b.Pow(c.X, b.Sub(power, c.Scalar(1))));
        return b.Mul(c.Upstream, b.Where(b.Equal(power, c.Scalar(0)), c.Scalar(0), slope));
    }

    private static string PowExponent(GradientContext c)
    {
        GraphBuilder b = c.B;
        string positive = b.Greater(c.X, c.Scalar(0));
        string logarithm = b.Log(b.Where(positive, c.X, c.Scalar(1)));
        string slope = b.Where(positive, b.Mul(c.Y, logarithm), c.Scalar(0));
        return b.Cast(b.Mul(c.Upstream, slope), c.Type(c.Input(1)).ElementType);
    }

    private static double? ScalarOf(Tensor? tensor) => tensor is not { Count: 1 } ? null : tensor.ElementType switch
    {
        Onnx.ElementType.Float => tensor.Values<float>()[0],
        Onnx.ElementType.Double => tensor.Values<double>()[0],
        Onnx.ElementType.Int64 => tensor.Values<long>()[0],
        Onnx.ElementType.Int32 => tensor.Values<int>()[0],
        _ => null,
    };
}
