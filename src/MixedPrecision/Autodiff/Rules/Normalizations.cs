using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>Softmax and the normalizations.</summary>
internal static class Normalizations
{
    /// <summary>y⊙(dy − Σ(dy⊙y)).</summary>
    public static IReadOnlyList<string?> Softmax(GradientContext c)
    {
        string product = c.B.Mul(c.Upstream, c.Y);
        string sum = c.B.ReduceSum(product, [c.Node.Int("axis", -1)], keepDimensions: true);
        return [c.B.Sub(product, c.B.Mul(c.Y, sum))];
    }

    /// <summary>dy − eʸ·Σdy.</summary>
    public static IReadOnlyList<string?> LogSoftmax(GradientContext c)
    {
        string sum = c.B.ReduceSum(c.Upstream, [c.Node.Int("axis", -1)], keepDimensions: true);
        return [c.B.Sub(c.Upstream, c.B.Mul(c.B.Exp(c.Y), sum))];
    }

    /// <summary>With x̂ = r(x − mean), r = 1/√(var + ε), g = dy⊙γ: dx = r(g − mean g − x̂·mean(g⊙x̂)).</summary>
    public static IReadOnlyList<string?> LayerNormalization(GradientContext c)
    {
        GraphBuilder b = c.B;
        long[] axes = AxesFrom(c, c.Node.Int("axis", -1));
        string centred = b.Sub(c.X, b.ReduceMean(c.X, axes, keepDimensions: true));
        (string normal, string scale) = Normalized(c, centred, axes);
        string? dx = null;
        if (c.Needs(0))
        {
            string g = b.Mul(c.Upstream, c.Input(1));
            dx = b.Mul(scale, b.Sub(b.Sub(g, b.ReduceMean(g, axes, keepDimensions: true)), AlongNormal(b, g, normal, axes)));
        }

        return c.Gradients((0, dx), (1, c.Needs(1) ? ToParameter(c, b.Mul(c.Upstream, normal), 1) : null), (2, c.Needs(2) ? ToParameter(c, c.Upstream, 2) : null));
    }

    /// <summary>As layer normalization, without the mean: dx = r(g − x̂·mean(g⊙x̂)).</summary>
    public static IReadOnlyList<string?> RootMeanSquareNormalization(GradientContext c)
    {
        GraphBuilder b = c.B;
        long[] axes = AxesFrom(c, c.Node.Int("axis", -1));
        (string normal, string scale) = Normalized(c, c.X, axes);
        string? dx = null;
        if (c.Needs(0))
        {
            string g = b.Mul(c.Upstream, c.Input(1));
            dx = b.Mul(scale, b.Sub(g, AlongNormal(b, g, normal, axes)));
        }

        return c.Gradients((0, dx), (1, c.Needs(1) ? ToParameter(c, b.Mul(c.Upstream, normal), 1) : null));
    }

    /// <summary>
    /// For inference: y = γ(x − mean)·r + β with r = 1/√(var + ε), all given per channel. Gradients of mean and variance follow from those of γ and x.
    /// </summary>
    public static IReadOnlyList<string?> BatchNormalization(GradientContext c)
    {
        GraphBuilder b = c.B;
        int rank = c.Rank(c.X);
        long[] spatial = [.. Enumerable.Range(2, rank - 2).Select(a => (long)a)];
        string Column(string value) => spatial.Length == 0 ? value : b.Unsqueeze(value, [.. spatial.Select(a => a - 1)]);
        string PerChannel(string value) => b.ReduceSum(value, [0, .. spatial]);
        string inverse = b.Reciprocal(b.Sqrt(b.Add(c.Input(4), c.Scalar(c.Node.Float("epsilon", 1e-5f)))));
        string slope = b.Mul(c.Input(1), inverse);
        string? dx = c.Needs(0) ? b.Mul(c.Upstream, Column(slope)) : null;
        string? dscale = null;
        string? dvariance = null;
        if (c.Needs(1) || c.Needs(4))
        {
            string spread = PerChannel(b.Mul(c.Upstream, b.Sub(c.X, Column(c.Input(3)))));
            dscale = b.Mul(spread, inverse);
            dvariance = b.Mul(b.Mul(dscale, b.Mul(slope, inverse)), c.Scalar(-0.5));
        }

        string? sum = c.Needs(2) || c.Needs(3) ? PerChannel(c.Upstream) : null;
        return [dx, dscale, sum, c.Needs(3) ? b.Neg(b.Mul(sum!, slope)) : null, dvariance];
    }

    private static (string Normal, string Scale) Normalized(GradientContext c, string centred, long[] axes)
    {
        string variance = c.B.ReduceMean(c.B.Square(centred), axes, keepDimensions: true);
        string scale = c.B.Reciprocal(c.B.Sqrt(c.B.Add(variance, c.Scalar(c.Node.Float("epsilon", 1e-5f)))));
        return (c.B.Mul(centred, scale), scale);
    }

    private static string AlongNormal(GraphBuilder b, string g, string normal, long[] axes) =>
        b.Mul(normal, b.ReduceMean(b.Mul(g, normal), axes, keepDimensions: true));

    private static string ToParameter(GradientContext c, string gradient, int input) => c.SumTo(gradient, c.Type(c.X), c.Input(input));

    /// <summary>The axis and all after it; the last axis needs no rank.</summary>
    private static long[] AxesFrom(GradientContext c, long axis) => axis < 0
        ? [.. Enumerable.Range(0, (int)-axis).Select(i => axis + i)]
        : [.. Enumerable.Range((int)axis, c.Rank(c.X) - (int)axis).Select(i => (long)i)];
}
