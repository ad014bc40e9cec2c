using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>What was promised of the file that ships, and what it does.</summary>
internal static class PredictionSection
{
    /// <summary>Greater numbers are told in powers of ten.</summary>
    private const double MostCounted = 1e9;

    public static Section? Of(PageData data)
    {
        Manifest manifest = data.Manifest;
        if (!data.IsMeasured)
        {
            return null;
        }

        Measurement measured = manifest.Measured;
        var rows = new List<IReadOnlyList<Cell>>
        {
            Row("Relative loss error", ReportText.Percent(manifest.Predicted.RelativeLossError) + (manifest.Predicted.Interval is [var low, var high] && low < high ? $" [{ReportText.Number(low * 100)}, {ReportText.Number(high * 100)}]" : ""), ReportText.Percent(measured.RelativeLossError), measured.RelativeLossError / manifest.Predicted.RelativeLossError),
            Row("Loss MSE", ReportText.Number(manifest.Predicted.LossMse), ReportText.Number(measured.LossMse), measured.LossMse / manifest.Predicted.LossMse),
        };
        if (data.Unit == Milliseconds && measured.Scenarios.Count > 0)
        {
            double saved = measured.Scenarios.Sum(s => s.Weight * (s.OriginalMilliseconds - s.MixedMilliseconds));
            rows.Add(Row("Gain of a run", WithInterval(manifest.Predicted.Gain), ReportText.Milliseconds(saved), saved / manifest.Predicted.Gain.Value));
        }
        else if (data.Unit == Milliseconds && data.TimedElsewhere is not null)
        {
            rows.Add(Row("Gain of a run", WithInterval(manifest.Predicted.Gain), "not measured", 0));
        }
        else if (data.Unit == "bytes")
        {
            double saved = manifest.Bytes.Original - manifest.Bytes.Mixed;
            rows.Add(Row("Bytes saved", Gain(manifest.Predicted.Gain.Value, data.Unit), Gain(saved, data.Unit), saved / manifest.Predicted.Gain.Value));
        }

        return new Section(
            "prediction",
            "Predicted against measured",
            Tag("p", $"Predicted from {ReportText.Count(manifest.Samples.Calibration, "sample")} and from the timings of sub-graphs{(data.TimedElsewhere is null ? "" : " in the profile")}; measured on the emitted file, on {ReportText.Count(manifest.Samples.Evaluation, "other sample")}. The mean loss changed by {ReportText.Number(measured.MeanLossChange)}."),
            Table.Of("What ships, as predicted and as measured", [new("Figure"), new("Predicted", true), new("Measured", true), new("Measured / predicted", true)], rows),
            manifest.Solver is { } solver ? Tag("p", [("class", "note")], Proof(solver, data.Unit)) : default);
    }

    private static Cell[] Row(string name, string predicted, string measured, double ratio) => [name, predicted, measured, double.IsFinite(ratio) && ratio > 0 ? ReportText.Factor(ratio) : None];

    private static string Proof(SolverSummary solver, string unit) =>
        $"The solver's word for the plan is {solver.Status}: it gains {Gain(solver.Objective, unit)} as the program counts gains, and no plan within the budget gains more than {Gain(solver.Bound, unit)}. "
        + $"{ReportText.Count(solver.Timed)} of {(solver.Possible < MostCounted ? ReportText.Count((long)solver.Possible) : ReportText.Number(solver.Possible))} configurations were tried for that.";
}
