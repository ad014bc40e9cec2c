namespace MixedPrecision.Benchmarks.Operators;

/// <summary>How a gradient compares with differences, from good to bad.</summary>
internal enum Verdict
{
    Right,

    /// <summary>The loss bends here, and the gradient lies between the slopes of both sides.</summary>
    Kink,

    /// <summary>The loss jumps here, or is not finite, or float is too coarse: there is no difference to compare with.</summary>
    Undefined,

    Wrong,
}

/// <summary>One comparison.</summary>
internal sealed record Comparison(Verdict Verdict, string Text);

/// <summary>Compares a gradient with differences of the loss along single elements, or along random directions.</summary>
/// <param name="loss">The loss, and the sum of the sizes of its terms, at a distance along a direction.</param>
/// <param name="isDouble">Whether the loss is computed in double.</param>
internal sealed class Differences(Func<double[], double, (double Loss, double Size)> loss, bool isDouble)
{
    /// <summary>Elements up to which each is moved by itself.</summary>
    private const int Elementwise = 400;
    private const int Directions = 8;

    /// <summary>Float gradients against differences in double, whose own error is about 1e-9, and against differences in float.</summary>
    private double Tolerance => isDouble ? 1e-4 : 3e-3;

    /// <summary>Steps in double are so short that kinks are hardly ever crossed. In float the best of several is taken.</summary>
    private double[] Steps => isDouble ? [1e-6] : [0.08, 0.04, 0.02, 0.01, 0.005, 0.0025];

    /// <summary>Terms of a gradient in float that cancel, of the loss's size and above.</summary>
    private const double Cancellation = 2e-6;

    private double Rounding => isDouble ? 1e-15 : 3e-7;

    public IEnumerable<Comparison> Compare(double[] gradient, double[] at, Random random)
    {
        double scale = gradient.Select(Math.Abs).DefaultIfEmpty(0).Max();
        return gradient.Length <= Elementwise
            ? Enumerable.Range(0, gradient.Length).Select(i => Along(Unit(i, gradient.Length), gradient, $"[{i}] at {at[i]:G6}", Math.Max(1, Math.Abs(at[i])), scale))
            : Enumerable.Range(0, Directions).Select(d => Along([.. gradient.Select(_ => Reals.Normal(random) / Math.Sqrt(gradient.Length))], gradient, $"along direction {d}", 1, scale));
    }

    private static double[] Unit(int index, int count) => [.. Enumerable.Range(0, count).Select(i => i == index ? 1.0 : 0)];

    private Comparison Along(double[] direction, double[] gradient, string where, double reach, double scale)
    {
        double actual = direction.Zip(gradient, (d, g) => d == 0 ? 0 : d * g).Sum();
        (double value, double size) = loss(direction, 0);
        (double Left, double Right, double Middle)[] slopes = [.. Steps.Select(s => Slopes(direction, s * reach, value))];
        double Change(int step) => step + 1 < slopes.Length && double.IsFinite(slopes[step].Middle) ? Math.Abs(slopes[step].Middle - slopes[step + 1].Middle) : double.MaxValue;
        int best = Enumerable.Range(0, Math.Max(1, slopes.Length - 1)).MinBy(Change);
        double expected = slopes[best].Middle, uncertain = slopes.Length > 1 ? Math.Abs(expected - slopes[best + 1].Middle) : 0;
        string text = $"{where}: gradient {actual:G6}, differences {expected:G6}";
        double tolerance = (Tolerance * (Math.Abs(expected) + (0.1 * scale))) + (Rounding * size / (Steps[best] * reach)) + (Cancellation * size);
        if (Math.Abs(actual - expected) <= tolerance)
        {
            return new Comparison(Verdict.Right, text);
        }

        (double left, double right, _) = slopes[^1];
        text += $" (left {left:G6}, right {right:G6}{(slopes.Length > 1 ? $", ± {uncertain:G2}" : "")})";
        double bend = Math.Abs(left - right), margin = tolerance + (Rounding * size / (Steps[^1] * reach));
        bool jumps = bend > 1e3 * (1 + Math.Abs(actual) + size) && isDouble;
        bool bends = bend > 20 * margin && actual >= Math.Min(left, right) - margin && actual <= Math.Max(left, right) + margin;
        return !double.IsFinite(expected) || jumps ? new Comparison(Verdict.Undefined, text)
            : bends ? new Comparison(Verdict.Kink, text)
            : !isDouble && uncertain > tolerance ? new Comparison(Verdict.Undefined, text)
            : new Comparison(Verdict.Wrong, text);
    }

    private (double Left, double Right, double Middle) Slopes(double[] direction, double step, double value)
    {
        double before = loss(direction, -step).Loss, after = loss(direction, step).Loss;
        return ((value - before) / step, (after - value) / step, (after - before) / (2 * step));
    }
}
