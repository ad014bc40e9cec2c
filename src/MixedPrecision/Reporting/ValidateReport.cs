using MixedPrecision.Benchmarking;
using MixedPrecision.Validation;

namespace MixedPrecision.Reporting;

/// <summary>What <c>validate</c> found: whether the predictions of loss and time hold on the model, and what choosing by them gains over simpler ways.</summary>
/// <param name="Model">The file.</param>
/// <param name="Machine">Where it was measured.</param>
/// <param name="Loss">Predicted against measured loss MSE.</param>
/// <param name="Time">Predicted against measured gain.</param>
/// <param name="Choice">The program against simpler strategies.</param>
/// <param name="Range">Where the prediction of the loss ends, by layer.</param>
/// <param name="Warnings">What the reader should know.</param>
public sealed record ValidateReport(
    ModelSummary Model,
    Machine Machine,
    LossSummary Loss,
    TimeSummary Time,
    ChoiceSummary Choice,
    IReadOnlyList<RangeSummary> Range,
    IReadOnlyList<string> Warnings)
{
    public string ToJson() => ReportJson.Write(this);

    /// <summary>A summary for people.</summary>
    public IEnumerable<string> ToLines() =>
    [
        $"{Model.File} on {Machine.Processor}",
        $"loss: predicted from {ReportText.Count(Loss.CalibrationSamples, "sample")}, measured on these and on {ReportText.Count(Loss.EvaluationSamples, "other")}; random plans:",
        .. ReportText.Table([.. Loss.Fits.Select(Row)]),
        $"time: the sub-graphs of the original take {ReportText.Milliseconds(Time.SubgraphMilliseconds)}, the whole {ReportText.Milliseconds(Time.WholeMilliseconds)}; random plans:",
        .. ReportText.Table([.. Time.Fits.Select(Row)]),
        $"choice: {ReportText.Count(Choice.Plans, "plan")} at {ReportText.Count(Choice.BudgetMses.Count, "budget")}; {ChoiceExperiment.Time} against others at equal measured loss error:",
        .. ReportText.Table([.. Choice.Strategies.Select(Row)]),
        "range: greatest loss error up to which the prediction is within 0.8 to 1.25 of what is measured, as the error of one layer is doubled step by step:",
        .. ReportText.Table([.. Range.Select(Row)]),
        .. ReportText.Warnings(Warnings),
    ];

    private static string[] Row(LossFit fit) =>
    [
        fit.Estimator, fit.Samples, $"slope {Number(fit.Slope)}", $"correlation {Number(fit.Correlation)}", $"predicted / measured {Number(fit.MedianRatio)}", $"{fit.Within} of {fit.Plans} within 0.8 to 1.25",
    ];

    private static string[] Row(TimeFit fit) => [$"by {fit.By}", $"slope {Number(fit.Slope)}", $"correlation {Number(fit.Correlation)}", $"mean error {Percent(fit.MeanError)}", ReportText.Count(fit.Plans, "plan")];

    private static string[] Row(StrategySummary strategy) =>
    [
        strategy.Strategy,
        ReportText.Count(strategy.Plans, "plan"),
        $"up to {Percent(strategy.GreatestGain)} of the time saved",
        .. strategy.Strategy == ChoiceExperiment.Time ? [] : new[]
        {
            $"{ChoiceExperiment.Time} saves {Percent(strategy.Area)} more, {Factor(strategy.MeanSpeedup)} as fast in the mean",
            strategy.At is double at ? $"at most {Factor(strategy.GreatestSpeedup)}, at {ReportText.Percent(at)}" : "",
            strategy.Above.Count == 0 ? "" : $"ahead at {ReportText.Count(strategy.Above.Count, "budget")}",
        },
    ];

    private static string[] Row(RangeSummary range) =>
    [
        range.Layer, range.Format, $"to {Percent(range.End)}", $"first order alone to {Percent(range.FirstOrderEnd)}", range.IsMonotonous ? "growing with every step" : "not growing with every step",
    ];

    private static string Number(double? value) => value is double known ? ReportText.Number(known) : "–";

    private static string Percent(double? value) => value is double known ? ReportText.Percent(known) : "–";

    private static string Factor(double? value) => value is double known ? ReportText.Factor(known) : "–";
}
