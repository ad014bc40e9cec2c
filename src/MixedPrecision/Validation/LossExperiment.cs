namespace MixedPrecision.Validation;

/// <summary>A random plan: what is predicted of its loss MSE from calibration samples, and what was measured of its file.</summary>
/// <param name="Plan">Its number.</param>
/// <param name="Layers">Layers that it changes.</param>
/// <param name="Taylor">The paper's prediction: the sum of its layers' sensitivities by the noise models of their formats.</param>
/// <param name="Predicted">P, by layers run in their formats, with correlations and the rise of the loss.</param>
/// <param name="OnCalibration">Measured on the samples that it was predicted from.</param>
/// <param name="OnEvaluation">Measured on samples that calibration has not seen.</param>
public sealed record LossPoint(int Plan, int Layers, double Taylor, double Predicted, double OnCalibration, double OnEvaluation);

/// <summary>One estimator against one measurement, over the plans whose loss changed.</summary>
/// <param name="Estimator">"taylor" or "measured".</param>
/// <param name="Samples">"calibration", "evaluation", or "evaluation, relative": prediction and measurement each over E[g²] of their own samples, as a budget does.</param>
/// <param name="Plans">How many plans.</param>
/// <param name="Slope">Slope of the line of least squares through the logarithms, measured over predicted: 1 where one is a multiple of the other.</param>
/// <param name="Correlation">Correlation of the logarithms.</param>
/// <param name="MedianRatio">Median of predicted / measured.</param>
/// <param name="Within">Plans whose predicted / measured is within 0.8 to 1.25.</param>
public sealed record LossFit(string Estimator, string Samples, int Plans, double? Slope, double? Correlation, double? MedianRatio, int Within);

/// <summary>The experiment in numbers.</summary>
/// <param name="CalibrationSamples">Samples predicted from.</param>
/// <param name="EvaluationSamples">Samples that calibration has not seen.</param>
/// <param name="CalibrationSquare">E[g²] on the former.</param>
/// <param name="EvaluationSquare">E[g²] on the latter.</param>
/// <param name="Fits">Each estimator against each measurement.</param>
public sealed record LossSummary(int CalibrationSamples, int EvaluationSamples, double CalibrationSquare, double EvaluationSquare, IReadOnlyList<LossFit> Fits);

/// <summary>Predicted against measured loss MSE over random plans (paper, experiment on the loss).</summary>
internal static class LossExperiment
{
    public const string Taylor = "taylor";
    public const string Measured = "measured";

    public static LossSummary Summarize(IReadOnlyList<LossPoint> points, int calibrationSamples, int evaluationSamples, double calibrationSquare, double evaluationSquare) => new(
        calibrationSamples,
        evaluationSamples,
        calibrationSquare,
        evaluationSquare,
        [
            .. new (string Name, Func<LossPoint, double> Of)[] { (Taylor, p => p.Taylor), (Measured, p => p.Predicted) }.SelectMany(estimator => new[]
            {
                FitOf(points, estimator.Name, "calibration", estimator.Of, p => p.OnCalibration),
                FitOf(points, estimator.Name, "evaluation", estimator.Of, p => p.OnEvaluation),
                FitOf(points, estimator.Name, "evaluation, relative", p => estimator.Of(p) / calibrationSquare, p => p.OnEvaluation / evaluationSquare),
            }),
        ]);

    /// <summary>A row a plan.</summary>
    public static string ToCsv(IEnumerable<LossPoint> points) => Csv.Of(
        ["plan", "layers_changed", "taylor", "predicted", "measured_on_calibration", "measured_on_evaluation"],
        points.Select(p => new object?[] { p.Plan, p.Layers, p.Taylor, p.Predicted, p.OnCalibration, p.OnEvaluation }));

    private static LossFit FitOf(IEnumerable<LossPoint> points, string estimator, string samples, Func<LossPoint, double> predicted, Func<LossPoint, double> measured)
    {
        (double Predicted, double Measured)[] pairs = [.. points.Select(p => (predicted(p), measured(p))).Where(p => p.Item1 > 0 && p.Item2 > 0 && double.IsFinite(p.Item2))];
        double[] x = [.. pairs.Select(p => Math.Log(p.Predicted))], y = [.. pairs.Select(p => Math.Log(p.Measured))];
        return new LossFit(
            estimator, samples, pairs.Length, Fit.Slope(x, y), Fit.Correlation(x, y), Fit.Median(pairs.Select(p => p.Predicted / p.Measured)), pairs.Count(p => Fit.IsWithin(p.Predicted, p.Measured)));
    }
}
