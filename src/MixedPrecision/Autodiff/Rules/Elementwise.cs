using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>Functions of one operand, element by element: dx = dy · f′(x), with f′ by x or, where cheaper, by y = f(x).</summary>
internal static class Elementwise
{
    public static IReadOnlyList<string?> Abs(GradientContext c) => [c.B.Mul(c.Upstream, c.B.Sign(c.X))];

    public static IReadOnlyList<string?> Neg(GradientContext c) => [c.B.Neg(c.Upstream)];

    public static IReadOnlyList<string?> Sqrt(GradientContext c) => [c.B.Div(c.B.Mul(c.Upstream, c.Scalar(0.5)), c.Y)];

    public static IReadOnlyList<string?> Reciprocal(GradientContext c) => [c.B.Neg(c.B.Mul(c.Upstream, c.B.Square(c.Y)))];

    public static IReadOnlyList<string?> Exp(GradientContext c) => [c.B.Mul(c.Upstream, c.Y)];

    public static IReadOnlyList<string?> Log(GradientContext c) => [c.B.Div(c.Upstream, c.X)];

    public static IReadOnlyList<string?> Erf(GradientContext c) =>
        [c.B.Mul(c.Upstream, c.B.Mul(c.Scalar(2 / Math.Sqrt(Math.PI)), c.B.Exp(c.B.Neg(c.B.Square(c.X)))))];

    public static IReadOnlyList<string?> Sin(GradientContext c) => [c.B.Mul(c.Upstream, c.B.Cos(c.X))];

    public static IReadOnlyList<string?> Cos(GradientContext c) => [c.B.Neg(c.B.Mul(c.Upstream, c.B.Sin(c.X)))];

    /// <summary>1 + tan².</summary>
    public static IReadOnlyList<string?> Tan(GradientContext c) => [c.B.Mul(c.Upstream, c.B.Add(c.Scalar(1), c.B.Square(c.Y)))];

    /// <summary>1 / √(1 − x²).</summary>
    public static IReadOnlyList<string?> Asin(GradientContext c) => [c.B.Div(c.Upstream, c.B.Sqrt(c.B.Sub(c.Scalar(1), c.B.Square(c.X))))];

    public static IReadOnlyList<string?> Acos(GradientContext c) => [c.B.Neg(c.B.Div(c.Upstream, c.B.Sqrt(c.B.Sub(c.Scalar(1), c.B.Square(c.X)))))];

    /// <summary>1 / (1 + x²).</summary>
    public static IReadOnlyList<string?> Atan(GradientContext c) => [c.B.Div(c.Upstream, c.B.Add(c.Scalar(1), c.B.Square(c.X)))];

    /// <summary>cosh x = (eˣ + e⁻ˣ)/2, written with Exp, which has kernels of both precisions.</summary>
    public static IReadOnlyList<string?> Sinh(GradientContext c) =>
        [c.B.Mul(c.Upstream, c.B.Mul(c.Scalar(0.5), c.B.Add(c.B.Exp(c.X), c.B.Exp(c.B.Neg(c.X)))))];

    public static IReadOnlyList<string?> Cosh(GradientContext c) =>
        [c.B.Mul(c.Upstream, c.B.Mul(c.Scalar(0.5), c.B.Sub(c.B.Exp(c.X), c.B.Exp(c.B.Neg(c.X)))))];

    /// <summary>1 / √(x² + 1).</summary>
    public static IReadOnlyList<string?> Asinh(GradientContext c) => [c.B.Div(c.Upstream, c.B.Sqrt(c.B.Add(c.B.Square(c.X), c.Scalar(1))))];

    /// <summary>1 / √(x² − 1).</summary>
    public static IReadOnlyList<string?> Acosh(GradientContext c) => [c.B.Div(c.Upstream, c.B.Sqrt(c.B.Sub(c.B.Square(c.X), c.Scalar(1))))];

    /// <summary>1 / (1 − x²).</summary>
    public static IReadOnlyList<string?> Atanh(GradientContext c) => [c.B.Div(c.Upstream, c.B.Sub(c.Scalar(1), c.B.Square(c.X)))];

    public static IReadOnlyList<string?> Tanh(GradientContext c) => [c.B.Mul(c.Upstream, c.B.Sub(c.Scalar(1), c.B.Square(c.Y)))];

    public static IReadOnlyList<string?> Sigmoid(GradientContext c) => [c.B.Mul(c.Upstream, c.B.Mul(c.Y, c.B.Sub(c.Scalar(1), c.Y)))];

    public static IReadOnlyList<string?> Identity(GradientContext c) => [c.Upstream];

    /// <summary>Between floating types the gradient is cast back. (From integers none is wanted.)</summary>
    public static IReadOnlyList<string?> Cast(GradientContext c) => [c.B.Cast(c.Upstream, c.ElementType)];

    public static IReadOnlyList<string?> CastLike(GradientContext c) => [c.B.Cast(c.Upstream, c.ElementType), null];

    /// <summary>For inference the identity. In training mode kept elements are scaled by 1/(1 − ratio); the mask, which lowering asks for, says which.</summary>
    public static IReadOnlyList<string?> Dropout(GradientContext c)
    {
        if (!c.HasInput(2))
        {
            return c.Gradients((0, c.Upstream));
        }

        string kept = c.HasInput(1) ? c.B.Sub(c.Scalar(1), c.B.Cast(c.Input(1), c.ElementType)) : c.Scalar(0.5);
        string trained = c.B.Div(c.B.Mul(c.Upstream, c.Mask(c.Output(1))), kept);
        string? ratio = c.Needs(1) ? DropoutRatio(c, kept) : null;
        return c.Gradients((0, c.B.Where(c.Input(2), trained, c.Upstream)), (1, ratio));
    }

    /// <summary>What is kept is divided by 1 − ratio; the mask itself is not differentiable.</summary>
    private static string DropoutRatio(GradientContext c, string kept)
    {
        string trained = c.B.Div(c.B.ReduceSum(c.B.Mul(c.Upstream, c.Y)), kept);
        string sum = c.B.Where(c.Input(2), trained, c.Scalar(0));
        return c.B.Reshape(c.B.Cast(sum, c.Type(c.Input(1)).ElementType), c.ShapeOf(c.Input(1)));
    }
}
