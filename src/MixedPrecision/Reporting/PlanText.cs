namespace MixedPrecision.Reporting;

/// <summary>Plans for people: the lines that the report of <c>solve</c> and the manifest share.</summary>
internal static class PlanText
{
    /// <summary>The models of a run, and what they share.</summary>
    public static IEnumerable<string> Lines(IReadOnlyList<Manifest> manifests) =>
        [.. manifests.SelectMany(m => m.ToLines()), .. manifests[0].Shared is { } shared ? [shared.ToLine()] : Array.Empty<string>()];

    /// <summary>"31 layers: 20 int8-dynamic, 11 fp32"; "0 layers".</summary>
    public static string Formats(IReadOnlyList<PlannedSubgraph> subgraphs)
    {
        PlannedLayer[] layers = [.. subgraphs.SelectMany(s => s.Layers)];
        var counts = layers.CountBy(l => l.Format).OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal);
        return layers.Length == 0 ? "0 layers" : $"{ReportText.Count(layers.Length, "layer")}: {string.Join(", ", counts.Select(c => $"{c.Value} {c.Key}"))}";
    }

    public static string Predicted(Prediction predicted, double tau) =>
        $"predicted: relative loss error {ReportText.Percent(predicted.RelativeLossError)}{(predicted.Interval is [var low, var high] ? $" [{ReportText.Percent(low)}, {ReportText.Percent(high)}]" : "")} of {ReportText.Percent(tau)} allowed (loss MSE "
        + $"{ReportText.Number(predicted.LossMse)}), {Gain(predicted.Gain.Value, predicted.Gain.Unit)} saved{(predicted.Gain.Unit == Milliseconds ? " a run" : "")}";

    public static string Solver(SolverSummary solver) =>
        $"solver: {solver.Status}, objective {ReportText.Number(solver.Objective)}, bound {ReportText.Number(solver.Bound)}; {ReportText.Number(solver.Timed)} of {ReportText.Number(solver.Possible)} configurations timed";

    public static string[] Row(StrategyPlan strategy, string unit) =>
    [
        strategy.Name,
        $"{Gain(strategy.Gain, unit)} saved",
        $"loss MSE {ReportText.Number(strategy.LossMse)}",
        strategy.WithinBudget ? "within budget" : "over budget",
    ];

    public static string[] Row(PlanAttempt attempt) =>
    [
        $"made for τ {ReportText.Percent(attempt.Tau)}",
        string.Join(", ", attempt.Formats.Select(f => $"{f.Value} {f.Key}")),
        $"predicted {ReportText.Percent(attempt.PredictedRelativeLossError)}",
        $"measured {ReportText.Percent(attempt.MeasuredRelativeLossError)}",
        attempt.WithinBudget ? "within budget" : "over budget",
    ];

    public static string[] Row(ComparedModel model) =>
    [
        model.Name,
        $"relative loss error {ReportText.Percent(model.RelativeLossError)}",
        ReportText.Bytes(model.Bytes),
        model.MeasuredGain is { } gain
            ? $"{ReportText.Milliseconds(gain.Value)} saved a run [{ReportText.Milliseconds(gain.Interval[0])}, {ReportText.Milliseconds(gain.Interval[1])}]"
            : model.Problem is not null ? "not as planned" : model.WithinBudget ? "" : "over budget",
    ];

    private const string Milliseconds = "milliseconds";

    /// <summary>A gain with its unit.</summary>
    public static string Gain(double gain, string unit) => unit switch
    {
        Milliseconds => ReportText.Milliseconds(gain),
        "bytes" => $"{ReportText.Bytes((long)gain)} of weights",
        _ => $"{ReportText.Number(gain)} {unit}",
    };

    /// <summary>The loss MSE that a plan is allowed, as far as its prediction tells it.</summary>
    public static double? Allowed(double tau, Prediction predicted) =>
        tau > 0 && predicted is { RelativeLossError: > 0 and var error, LossMse: var mse } ? tau * tau * mse / (error * error) : null;
}
