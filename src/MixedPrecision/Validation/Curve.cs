namespace MixedPrecision.Validation;

/// <summary>
/// What a strategy reaches: the greatest gain, as a share of the original's time, of its plans whose measured loss error is at most so much; the original itself is one of them. A step function of the error.
/// </summary>
internal sealed class Curve(IEnumerable<(double Error, double Gain)> points)
{
    private readonly (double Error, double Gain)[] sorted = [.. points.OrderBy(p => p.Error)];

    /// <summary>The errors at which it may step.</summary>
    public IEnumerable<double> Errors => sorted.Select(p => p.Error);

    public double At(double error) => sorted.TakeWhile(p => p.Error <= error).Select(p => p.Gain).Append(0).Max();

    /// <summary>The mean of a function of two curves over the logarithm of the error, from the least error above 0 of both to the greatest; null where these are one.</summary>
    public static double? Mean(Curve first, Curve second, Func<double, double, double> of)
    {
        double[] steps = [.. first.Errors.Concat(second.Errors).Where(e => e > 0 && double.IsFinite(e)).Distinct().Order()];
        return steps.Length < 2 ? null
            : steps.Zip(steps.Skip(1), (from, to) => of(first.At(from), second.At(from)) * Math.Log(to / from)).Sum() / Math.Log(steps[^1] / steps[0]);
    }
}
