using static MixedPrecision.Reporting.Page.Markup;

namespace MixedPrecision.Reporting.Page;

/// <summary>The plans on the way to the budget.</summary>
internal static class AttemptsSection
{
    public static Section? Of(PageData data)
    {
        IReadOnlyList<PlanAttempt> attempts = data.Manifest.Attempts;
        if (attempts.Count == 0)
        {
            return null;
        }

        ManifestBudget budget = data.Manifest.Budget;
        double? tau = budget.StatedTau;
        return new Section(
            "attempts",
            "Attempts at the budget",
            Tag("p", attempts.Count == 1
                ? "The first plan that was made and emitted was judged on samples that calibration did not read."
                : $"{ReportText.Count(attempts.Count)} plans were made, emitted and judged on samples that calibration did not read; a plan over the budget is made anew with less."),
            RangeChart.Draw(
                "Error of the loss of each plan, as predicted and as measured",
                [.. attempts.Select(Row)],
                ReportText.Percent,
                tau is { } stated ? (stated, $"budget {ReportText.Percent(stated)}") : null),
            Tag("p", [("class", "key")], Tag("span", [("class", "dot predicted"), ("aria-hidden", "true")]), "predicted ", Tag("span", [("class", "dot found"), ("aria-hidden", "true")]), "measured"),
            Table.Of(
                $"Plans by attempt; the budget is {budget.Text}",
                [new("Attempt"), new("Solved for", true), new("Formats"), new("Predicted error", true), new("Measured error", true), new(data.Limits.Count < 2 ? "Measured of the budget" : $"Measured {BudgetSection.Words(data.Limits[0].Name)}", true), new("Verdict")],
                attempts.Select((a, i) => (IReadOnlyList<Cell>)
                [
                    ReportText.Count(i + 1),
                    ReportText.Percent(a.Tau),
                    All(a.Formats.Select(f => Tag("span", [("class", "line")], FormatLook.Show(f.Key), Tag("span", [("class", "note")], $" {ReportText.Count(f.Value, "layer")}")))),
                    ReportText.Percent(a.PredictedRelativeLossError),
                    ReportText.Percent(a.MeasuredRelativeLossError),
                    $"{ReportText.Percent(a.Measured)} of {ReportText.Percent(budget.Allowed)}",
                    a.WithinBudget ? "within the budget" : "over the budget",
                ]),
                chosen: data.Manifest.Solver is null ? -1 : Enumerable.Range(0, attempts.Count).LastOrDefault(i => attempts[i].Tau == budget.SolvedTau && attempts[i].WithinBudget, -1)));
    }

    private static RangeRow Row(PlanAttempt attempt, int index) => new(
        $"{index + 1}. solved for {ReportText.Percent(attempt.Tau)}",
        $"Attempt {index + 1}: predicted {ReportText.Percent(attempt.PredictedRelativeLossError)}, measured {ReportText.Percent(attempt.MeasuredRelativeLossError)}, {(attempt.WithinBudget ? "within" : "over")} the budget.",
        [
            new RangeMark("predicted", attempt.PredictedRelativeLossError, attempt.PredictedRelativeLossError, attempt.PredictedRelativeLossError),
            new RangeMark("found", attempt.MeasuredRelativeLossError, attempt.MeasuredRelativeLossError, attempt.MeasuredRelativeLossError),
        ]);
}
