namespace MixedPrecision.Validation;

/// <summary>One layer with the error of a format times a factor: y + k(y_f − y) in place of y.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Format">The format whose error it is.</param>
/// <param name="Factor">k.</param>
/// <param name="FirstOrder">k²·E[δ²]: the predicted loss MSE without the rise.</param>
/// <param name="Predicted">k²·E[δ²] + k⁴·E[ρ]²: the predicted loss MSE.</param>
/// <param name="Measured">Loss MSE of the file, on the samples that it was predicted from.</param>
public sealed record RangePoint(string Layer, string Format, double Factor, double FirstOrder, double Predicted, double Measured);

/// <summary>How far the prediction of one layer carries.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Format">The format.</param>
/// <param name="Steps">Factors tried.</param>
/// <param name="IsMonotonous">Whether the measured loss MSE grew with every step.</param>
/// <param name="End">The greatest measured relative loss error up to which every step was predicted within 0.8 to 1.25; null where not even the first was.</param>
/// <param name="FirstOrderEnd">The same of the prediction without the rise.</param>
public sealed record RangeSummary(string Layer, string Format, int Steps, bool IsMonotonous, double? End, double? FirstOrderEnd);

/// <summary>Where the expansion of the loss ends: the error of one layer is scaled up in steps of two.</summary>
internal static class RangeExperiment
{
    /// <summary>The relative loss error that is predicted of the first step.</summary>
    private const double First = 0.001;

    /// <summary>That after which no further step is made.</summary>
    private const double Last = 1;

    private const double Step = 2;

    /// <summary>Factors from a predicted relative loss error of 0.1 % to the first above 100 %.</summary>
    /// <param name="measured">E[δ²], above 0.</param>
    /// <param name="rise">E[ρ].</param>
    /// <param name="meanSquare">E[g²].</param>
    public static IReadOnlyList<double> Factors(double measured, double rise, double meanSquare)
    {
        double target = First * First * meanSquare;
        var factors = new List<double> { Math.Sqrt(2 * target / (measured + Math.Sqrt((measured * measured) + (4 * rise * rise * target)))) };
        while (Predicted(measured, rise, factors[^1]) <= Last * Last * meanSquare)
        {
            factors.Add(factors[^1] * Step);
        }

        return factors;
    }

    /// <summary>The predicted loss MSE of a layer whose error is multiplied by a factor.</summary>
    public static double Predicted(double measured, double rise, double factor) => (factor * factor * measured) + Math.Pow(factor * factor * rise, 2);

    /// <param name="points">Those of a layer in the order of their factors.</param>
    /// <param name="meanSquare">E[g²].</param>
    public static IReadOnlyList<RangeSummary> Summarize(IEnumerable<RangePoint> points, double meanSquare) => [.. points.GroupBy(p => (p.Layer, p.Format)).Select(own =>
    {
        RangePoint[] steps = [.. own];
        return new RangeSummary(
            own.Key.Layer, own.Key.Format, steps.Length, steps.Zip(steps.Skip(1)).All(s => s.Second.Measured > s.First.Measured), End(steps, p => p.Predicted, meanSquare), End(steps, p => p.FirstOrder, meanSquare));
    })];

    /// <summary>A row for each layer and factor.</summary>
    public static string ToCsv(IEnumerable<RangePoint> points) => Csv.Of(
        ["layer", "format", "factor", "first_order", "predicted", "measured"],
        points.Select(p => new object?[] { p.Layer, p.Format, p.Factor, p.FirstOrder, p.Predicted, p.Measured }));

    private static double? End(RangePoint[] steps, Func<RangePoint, double> predicted, double meanSquare) =>
        steps.TakeWhile(p => Fit.IsWithin(predicted(p), p.Measured)).LastOrDefault() is { } last ? Math.Sqrt(last.Measured / meanSquare) : null;
}
