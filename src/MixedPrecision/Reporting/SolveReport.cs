namespace MixedPrecision.Reporting;

/// <summary>What <c>solve</c> chose, before a model is written.</summary>
/// <param name="Model">The file.</param>
/// <param name="Budget">τ, as a fraction.</param>
/// <param name="Objective">"time", "theoretical-time" or "memory".</param>
/// <param name="Subgraphs">The plan.</param>
/// <param name="Predicted">What the plan promises.</param>
/// <param name="Solver">How well it was proven; null where no layer has a choice.</param>
/// <param name="Strategies">Simpler ways to choose.</param>
/// <param name="Warnings">What the reader should know.</param>
/// <param name="Size">The size of the file, where it is limited.</param>
public sealed record SolveReport(
    ModelSummary Model,
    double Budget,
    string Objective,
    IReadOnlyList<PlannedSubgraph> Subgraphs,
    Prediction Predicted,
    SolverSummary? Solver,
    IReadOnlyList<StrategyPlan> Strategies,
    IReadOnlyList<string> Warnings,
    PlannedSize? Size = null)
{
    /// <summary>The scenario that the plan is for by itself; null: all of them, weighted.</summary>
    public string? Scenario { get; init; }

    public string ToJson() => ReportJson.Write(this);

    /// <summary>A summary for people.</summary>
    public IEnumerable<string> ToLines() =>
    [
        $"{Model.File}: {PlanText.Formats(Subgraphs)}",
        PlanText.Predicted(Predicted, Budget),
        .. Size is null ? [] : new[] { $"size: about {ReportText.Bytes(Size.Predicted)} of {ReportText.Bytes(Size.Allowed)} allowed" },
        .. Solver is null ? [] : new[] { PlanText.Solver(Solver) },
        .. ReportText.Table([.. Strategies.Select(s => PlanText.Row(s, Predicted.Gain.Unit))]),
        .. LayerGroup.Lines(Subgraphs, null, PlanText.Allowed(Budget, Predicted)),
        .. ReportText.Warnings(Warnings),
    ];
}

/// <summary>The size of a plan's file.</summary>
/// <param name="Predicted">Bytes as computed, without nodes and names that replace layers.</param>
/// <param name="Allowed">Bytes that the budget allows.</param>
public sealed record PlannedSize(long Predicted, long Allowed);
