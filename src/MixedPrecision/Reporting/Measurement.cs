using MixedPrecision.Verification;

namespace MixedPrecision.Reporting;

/// <summary>What was measured on the emitted file.</summary>
/// <param name="LossMse">E[(g' − g)²] over the evaluation samples.</param>
/// <param name="RelativeLossError">√(loss MSE / E[g²]): what must not pass the budget.</param>
/// <param name="MeanLossChange">E[g' − g].</param>
/// <param name="MeanSquareLoss">E[g²] over the evaluation samples.</param>
/// <param name="Accuracy">Share of right answers, when it can be told.</param>
/// <param name="Scenarios">End-to-end time.</param>
/// <param name="Agreement">Share of answers that are the original's; null where the loss has none, and in manifests that were written without.</param>
public sealed record Measurement(
    double LossMse,
    double RelativeLossError,
    double MeanLossChange,
    double MeanSquareLoss,
    MeasuredAccuracy? Accuracy,
    IReadOnlyList<MeasuredScenario> Scenarios,
    double? Agreement = null)
{
    /// <param name="loss">Null where nothing was measured: the original, which has no error.</param>
    public static Measurement Of(LossChange? loss, IReadOnlyList<ScenarioTiming> times) => new(
        loss?.LossMse ?? 0,
        loss?.RelativeLossError ?? 0,
        loss?.MeanLossChange ?? 0,
        loss?.MeanSquareLoss ?? 0,
        loss?.Accuracy is { } accuracy ? new MeasuredAccuracy(accuracy.Original, accuracy.Mixed) : null,
        [.. times.Select(MeasuredScenario.Of)],
        loss?.Agreement);

    internal IEnumerable<string> ToLines(double budget)
    {
        yield return $"measured: relative loss error {ReportText.Percent(RelativeLossError)} of {ReportText.Percent(budget)} allowed (loss MSE "
            + $"{ReportText.Number(LossMse)}), mean loss change {ReportText.Number(MeanLossChange)}";
        if (Accuracy is not null)
        {
            yield return $"accuracy: {ReportText.Percent(Accuracy.Original)} → {ReportText.Percent(Accuracy.Mixed)}";
        }

        foreach (MeasuredScenario s in Scenarios)
        {
            yield return s.ToLine();
        }
    }
}

/// <summary>Share of right answers, from 0 to 1.</summary>
/// <param name="Original">Of the original model.</param>
/// <param name="Mixed">Of the emitted model.</param>
public sealed record MeasuredAccuracy(double Original, double Mixed);

/// <summary>End-to-end time in one scenario.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Inputs">Size of each symbolic dimension.</param>
/// <param name="Weight">Its share; all shares sum to 1.</param>
/// <param name="OriginalMilliseconds">Undisturbed time of a run of the original model: the median over all its sessions of the lower quartile of a session's runs.</param>
/// <param name="MixedMilliseconds">The same of the emitted model.</param>
/// <param name="Speedup">How many times faster the emitted model is.</param>
/// <param name="SpeedupInterval">Lower and upper end of the speed-up's confidence interval.</param>
/// <param name="Confidence">Confidence of the interval, from 0 to 1.</param>
/// <param name="Pairs">Pairs of sessions, of the original and of the emitted model, that were opened anew and compared.</param>
/// <param name="Warnings">Why the result is weaker than asked for.</param>
public sealed record MeasuredScenario(
    string Name,
    IReadOnlyDictionary<string, long> Inputs,
    double Weight,
    double OriginalMilliseconds,
    double MixedMilliseconds,
    double Speedup,
    IReadOnlyList<double> SpeedupInterval,
    double Confidence,
    int Pairs,
    IReadOnlyList<string> Warnings)
{
    public static MeasuredScenario Of(ScenarioTiming scenario) => new(
        scenario.Name,
        scenario.Inputs,
        scenario.Weight,
        scenario.Timing.OriginalMilliseconds,
        scenario.Timing.CandidateMilliseconds,
        scenario.Timing.Speedup,
        [scenario.Timing.SpeedupLow, scenario.Timing.SpeedupHigh],
        scenario.Timing.Confidence,
        scenario.Timing.Pairs,
        scenario.Timing.Warnings);

    internal string ToLine() => $"{Name}: {ReportText.Milliseconds(OriginalMilliseconds)} → {ReportText.Milliseconds(MixedMilliseconds)}, "
        + $"{ReportText.Factor(Speedup)} [{ReportText.Factor(SpeedupInterval[0])}, {ReportText.Factor(SpeedupInterval[1])}]";
}
