using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>Reductions over axes (opset 18 form: axes as an optional input, known or computed at run time).</summary>
internal static class Reductions
{
    public static IReadOnlyList<string?> Sum(GradientContext c) => c.Gradients((0, c.B.Expand(Kept(c, c.Upstream), c.ShapeOf(c.X))));

    public static IReadOnlyList<string?> Mean(GradientContext c) =>
        c.Gradients((0, c.B.Expand(c.B.Div(Kept(c, c.Upstream), Count(c)), c.ShapeOf(c.X))));

    /// <summary>Max and Min: elements that attain the extremum share the gradient equally.</summary>
    public static IReadOnlyList<string?> Extremum(GradientContext c)
    {
        string mask = c.Mask(c.B.Equal(c.X, Kept(c, c.OutputAgain())));
        string count = Again(c, "ReduceSum", mask);
        return c.Gradients((0, c.B.Mul(c.B.Div(Kept(c, c.Upstream), count), mask)));
    }

    /// <summary>The product of all other elements, exact with any number of zeros among them.</summary>
    public static IReadOnlyList<string?> Product(GradientContext c)
    {
        GraphBuilder b = c.B;
        string zero = c.Scalar(0);
        string isZero = b.Equal(c.X, zero);
        string safe = b.Where(isZero, c.Scalar(1), c.X);
        string product = Again(c, "ReduceProd", safe);
        string zeros = Again(c, "ReduceSum", c.Mask(isZero));
        string others = b.Where(isZero, b.Where(b.Equal(zeros, c.Scalar(1)), product, zero), b.Where(b.Equal(zeros, zero), b.Div(product, safe), zero));
        return c.Gradients((0, b.Mul(Kept(c, c.Upstream), others)));
    }

    public static IReadOnlyList<string?> L1(GradientContext c) => c.Gradients((0, c.B.Mul(Kept(c, c.Upstream), c.B.Sign(c.X))));

    /// <summary>x/y; zero where all elements are.</summary>
    public static IReadOnlyList<string?> L2(GradientContext c)
    {
        string y = Kept(c, c.Y);
        string safe = c.B.Where(c.B.Equal(y, c.Scalar(0)), c.Scalar(1), y);
        return c.Gradients((0, c.B.Mul(c.B.Div(Kept(c, c.Upstream), safe), c.X)));
    }

    /// <summary>y = ln Σx, so dx = dy/Σx = dy·e⁻ʸ.</summary>
    public static IReadOnlyList<string?> LogSum(GradientContext c) =>
        c.Gradients((0, c.B.Expand(Kept(c, c.B.Mul(c.Upstream, c.B.Exp(c.B.Neg(c.Y)))), c.ShapeOf(c.X))));

    public static IReadOnlyList<string?> LogSumExp(GradientContext c) =>
        c.Gradients((0, c.B.Mul(Kept(c, c.Upstream), c.B.Exp(c.B.Sub(c.X, Kept(c, c.Y))))));

    public static IReadOnlyList<string?> SumSquare(GradientContext c) =>
        c.Gradients((0, c.B.Mul(Kept(c, c.B.Mul(c.Upstream, c.Scalar(2))), c.X)));

    /// <summary>A value of the output's shape with the reduced axes back as ones, so that it broadcasts against the input.</summary>
    private static string Kept(GradientContext c, string value) =>
        c.Node.Int("keepdims", 1) == 1 || !c.HasInput(1) ? value : c.B.Node("Unsqueeze", [value, c.Input(1)]);

    /// <summary>Another reduction of an input-shaped value over the same axes, which are kept as ones.</summary>
    private static string Again(GradientContext c, string operatorType, string value) => c.B.Node(
        operatorType,
        c.HasInput(1) ? [value, c.Input(1)] : [value],
        Attributes.Of("keepdims", 1),
        Attributes.Of("noop_with_empty_axes", c.Node.Int("noop_with_empty_axes", 0)));

    /// <summary>How many elements make one output, as a scalar.</summary>
    private static string Count(GradientContext c)
    {
        if (c.Type(c.X).Shape is { } shape && c.ConstantIntegers(1) is { Length: > 0 } axes
            && axes.All(axis => shape[(int)(axis < 0 ? axis + shape.Count : axis)].Size is not null))
        {
            return c.Scalar(axes.Aggregate(1.0, (count, axis) => count * shape[(int)(axis < 0 ? axis + shape.Count : axis)].Size!.Value));
        }

        // Both counts are zero for an empty input, whose gradient is empty too.
        string output = c.B.Max(c.B.ElementCount(c.Y), c.B.Scalar(1, Onnx.ElementType.Int64));
        return c.B.Cast(c.B.Div(c.B.ElementCount(c.X), output), c.ElementType);
    }
}
