using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>
/// Activation functions. Where one bends, the slope is that of the side which the kernel takes there. Those that convolutions are followed by are written without
/// comparisons: for ONNX Runtime these are twice, and Where three times as much work as a product.
/// </summary>
internal static class Activations
{
    /// <summary>The slope is 1 where y is positive: a HardSigmoid so steep that it is a step, where there is a kernel of it.</summary>
    public static IReadOnlyList<string?> Relu(GradientContext c) =>
    [
        c.B.Mul(c.Upstream, c.ElementType == Onnx.ElementType.Float
            ? c.B.Node("HardSigmoid", [c.Y], Attributes.Of("alpha", float.MaxValue), Attributes.Of("beta", 0f))
            : c.B.Sign(c.Y)),
    ];

    public static IReadOnlyList<string?> LeakyRelu(GradientContext c) =>
        [Where(c, Negative(c), c.B.Mul(c.Upstream, c.Scalar(c.Node.Float("alpha", 0.01f))), c.Upstream)];

    /// <summary>The slope is an operand, which broadcasts.</summary>
    public static IReadOnlyList<string?> PRelu(GradientContext c)
    {
        string negative = Negative(c);
        return
        [
            c.Needs(0) ? Where(c, negative, c.B.Mul(c.Upstream, c.Input(1)), c.Upstream) : null,
            c.Needs(1) ? Where(c, negative, c.B.Mul(c.Upstream, c.X), c.Scalar(0)) : null,
        ];
    }

    /// <summary>α(eˣ − 1) below zero, where the slope is y + α.</summary>
    public static IReadOnlyList<string?> Elu(GradientContext c) =>
        [Where(c, Negative(c), c.B.Mul(c.Upstream, c.B.Add(c.Y, c.Scalar(c.Node.Float("alpha", 1)))), c.Upstream)];

    /// <summary>α(e^(x/α) − 1) below zero, where the slope is y/α + 1.</summary>
    public static IReadOnlyList<string?> Celu(GradientContext c)
    {
        string slope = c.B.Add(c.B.Mul(c.Y, c.Scalar(1 / c.Node.Float("alpha", 1))), c.Scalar(1));
        return [Where(c, Negative(c), c.B.Mul(c.Upstream, slope), c.Upstream)];
    }

    /// <summary>γx above zero, γα(eˣ − 1) below, where the slope is y + γα.</summary>
    public static IReadOnlyList<string?> Selu(GradientContext c)
    {
        double gamma = c.Node.Float("gamma", 1.05070102f);
        string below = c.B.Add(c.Y, c.Scalar(gamma * c.Node.Float("alpha", 1.67326319f)));
        return [c.B.Mul(c.Upstream, c.B.Where(Negative(c), below, c.Scalar(gamma)))];
    }

    public static IReadOnlyList<string?> HardSigmoid(GradientContext c) =>
        [c.B.Mul(c.Upstream, c.B.Mul(Inside(c, c.Y), c.Scalar(c.Node.Float("alpha", 0.2f))))];

    /// <summary>x·h with h = min(1, max(0, x/6 + 1/2)): the slope is h, and x/6 more where h is inside of its bounds.</summary>
    public static IReadOnlyList<string?> HardSwish(GradientContext c)
    {
        GraphBuilder b = c.B;
        string h = b.Node("HardSigmoid", [c.X], Attributes.Of("alpha", 1f / 6), Attributes.Of("beta", 0.5f));
        return [b.Mul(c.Upstream, b.Add(h, b.Mul(b.Mul(c.X, c.Scalar(1.0 / 6)), Inside(c, h))))];
    }

    /// <summary>x·t with t = tanh(ln(1 + eˣ)): the slope is t + x(1 − t²)σ(x).</summary>
    public static IReadOnlyList<string?> Mish(GradientContext c)
    {
        GraphBuilder b = c.B;
        string t = b.Tanh(b.Node("Softplus", [c.X]));
        string slope = b.Add(t, b.Mul(b.Mul(c.X, b.Sub(c.Scalar(1), b.Square(t))), b.Sigmoid(c.X)));
        return [b.Mul(c.Upstream, slope)];
    }

    public static IReadOnlyList<string?> Softplus(GradientContext c) => [c.B.Mul(c.Upstream, c.B.Sigmoid(c.X))];

    /// <summary>x/(1 + |x|).</summary>
    public static IReadOnlyList<string?> Softsign(GradientContext c) =>
        [c.B.Div(c.Upstream, c.B.Square(c.B.Add(c.Scalar(1), c.B.Abs(c.X))))];

    public static IReadOnlyList<string?> ThresholdedRelu(GradientContext c) =>
        [Where(c, c.B.Greater(c.X, c.Scalar(c.Node.Float("alpha", 1))), c.Upstream, c.Scalar(0))];

    public static IReadOnlyList<string?> Shrink(GradientContext c) =>
        [Where(c, c.B.Greater(c.B.Abs(c.X), c.Scalar(c.Node.Float("lambd", 0.5f))), c.Upstream, c.Scalar(0))];

    /// <summary>xΦ(x): Φ(x) + xφ(x); or with Φ approximated by tanh.</summary>
    public static IReadOnlyList<string?> Gelu(GradientContext c)
    {
        GraphBuilder b = c.B;
        string half = c.Scalar(0.5);
        string slope;
        if (c.Node.Text("approximate", "none") == "tanh")
        {
            double factor = Math.Sqrt(2 / Math.PI);
            string square = b.Square(c.X);
            string t = b.Tanh(b.Mul(b.Mul(c.X, c.Scalar(factor)), b.Add(c.Scalar(1), b.Mul(square, c.Scalar(0.044715)))));
            string inner = b.Add(c.Scalar(factor), b.Mul(square, c.Scalar(3 * 0.044715 * factor)));
            string bend = b.Mul(b.Mul(c.X, inner), b.Sub(c.Scalar(1), b.Square(t)));
            slope = b.Mul(half, b.Add(b.Add(c.Scalar(1), t), bend));
        }
        else
        {
            string cumulative = b.Mul(half, b.Add(c.Scalar(1), b.Erf(b.Mul(c.X, c.Scalar(Math.Sqrt(0.5))))));
            string density = b.Mul(c.Scalar(1 / Math.Sqrt(2 * Math.PI)), b.Exp(b.Mul(b.Square(c.X), c.Scalar(-0.5))));
            slope = b.Add(cumulative, b.Mul(c.X, density));
        }

        return [b.Mul(c.Upstream, slope)];
    }

    /// <summary>Inclusive at both bounds; what is clipped belongs to the bound.</summary>
    public static IReadOnlyList<string?> Clip(GradientContext c)
    {
        GraphBuilder b = c.B;
        string zero = c.Scalar(0);
        string? below = c.HasInput(1) ? b.Less(c.X, c.Input(1)) : null;
        string? above = c.HasInput(2) ? b.Greater(c.X, c.Input(2)) : null;
        string? outside = below is null ? above : above is null ? below : b.Node("Or", [below, above]);
        return c.Gradients(
            (0, outside is null ? c.Upstream : b.Where(outside, zero, c.Upstream)),
            (1, c.Needs(1) ? b.Reshape(b.ReduceSum(b.Where(below!, c.Upstream, zero)), c.ShapeOf(c.Input(1))) : null),
            (2, c.Needs(2) ? b.Reshape(b.ReduceSum(b.Where(above!, c.Upstream, zero)), c.ShapeOf(c.Input(2))) : null));
    }

    /// <summary>1 where y is between 0 and 1, and 0 where it is one of them.</summary>
    private static string Inside(GradientContext c, string y) => c.B.Sub(c.B.Ceil(y), c.B.Floor(y));

    private static string Negative(GradientContext c) => c.B.Less(c.X, c.Scalar(0));

    private static string Where(GradientContext c, string condition, string x, string y) => c.B.Where(condition, x, y);
}
