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
/// <param name="terms">The terms of the loss at a distance along a direction.</param>
/// <param name="isDouble">Whether the loss is computed in double.</param>
internal sealed class Differences(Func<double[], double, double[]> terms, bool isDouble)
{
    /// <summary>Elements up to which each is moved by itself.</summary>
    private const int Elementwise = 1000;
    private const int Directions = 8;

    /// <summary>Float gradients against differences in double, whose own error is about 1e-9, and against differences in float.</summary>
    private double Tolerance => isDouble ? 1e-4 : 3e-3;

    /// <summary>Steps in double are so short that kinks are hardly ever crossed. In float the best of several is taken.</summary>
    private double[] Steps => isDouble ? [1e-6] : [0.08, 0.04, 0.02, 0.01, 0.005, 0.0025];

    /// <summary>Kernels hold some parameters in float even where they compute in double, such as a ratio; they take a longer step.</summary>
    private const double LongStep = 1e-3;
    private const double LongTolerance = 1e-3;

    /// <summary>Differences of two steps may disagree by this share of the greatest slope and still say something.</summary>
    private const double Settled = 0.05;

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
        double[] value = terms(direction, 0);
        double whole = value.Sum(Math.Abs);

        // Terms that do not change have no rounding that differs.
        double size = value.Zip(terms(direction, Steps[0] * reach), (v, m) => v == m ? 0 : Math.Abs(v)).Sum();
        (double Left, double Right, double Middle)[] slopes = [.. Steps.Select(s => Slopes(direction, s * reach, value))];
        double Change(int step) => step + 1 < slopes.Length && double.IsFinite(slopes[step].Middle) ? Math.Abs(slopes[step].Middle - slopes[step + 1].Middle) : double.MaxValue;
        int best = Enumerable.Range(0, Math.Max(1, slopes.Length - 1)).MinBy(Change);
        double expected = slopes[best].Middle, uncertain = slopes.Length > 1 ? Math.Abs(expected - slopes[best + 1].Middle) : 0;
        string text = $"{where}: gradient {actual:G6}, differences {expected:G6}";
        double tolerance = (Tolerance * (Math.Abs(expected) + (0.1 * scale))) + (Rounding * size / (Steps[best] * reach)) + (Cancellation * whole);
        if (Math.Abs(actual - expected) <= tolerance)
        {
            return new Comparison(Verdict.Right, text);
        }

        // A step that does not cross a kink, if there is one, tells more than those on which the estimate settled.
        bool agrees = isDouble ? Math.Abs(Slopes(direction, LongStep * reach, value).Middle - actual) <= LongTolerance * Math.Abs(actual) : slopes.Zip(Steps).Any(s => Math.Abs(s.First.Left - s.First.Right) <= tolerance && Math.Abs(s.First.Middle - actual) <= tolerance);
        if (agrees || (uncertain < Settled * Math.Max(scale, Math.Abs(expected)) && Math.Abs(actual - expected) <= 3 * uncertain))
        {
            return new Comparison(Verdict.Right, text);
        }

        (double left, double right, _) = slopes[^1];
        text += $" (left {left:G6}, right {right:G6}{(slopes.Length > 1 ? $", ± {uncertain:G2}" : "")})";
        double bend = Math.Abs(left - right), margin = tolerance + (Rounding * size / (Steps[^1] * reach));
        double shorter = Slopes(direction, Steps[^1] * reach / 2, value).Middle;
        bool jumps = Math.Abs(shorter - (2 * slopes[^1].Middle)) < 0.05 * Math.Abs(shorter) || (isDouble && bend > 1e3 * (1 + Math.Abs(actual) + whole));
        bool bends = bend > 3 * margin && actual >= Math.Min(left, right) - margin && actual <= Math.Max(left, right) + margin;
        return !double.IsFinite(expected) || jumps ? new Comparison(Verdict.Undefined, text)
            : bends ? new Comparison(Verdict.Kink, text)
            : !isDouble && uncertain > tolerance ? new Comparison(Verdict.Undefined, text)
            : new Comparison(Verdict.Wrong, text);
    }

    private (double Left, double Right, double Middle) Slopes(double[] direction, double step, double[] value)
    {
        double[] before = terms(direction, -step), after = terms(direction, step);
        double Change(double[] from, double[] to) => from.Zip(to, (f, t) => t - f).Sum();
        return (Change(before, value) / step, Change(value, after) / step, Change(before, after) / (2 * step));
    }
}
