namespace MixedPrecision.Reporting;

/// <summary>Plans for people: the lines that the report of <c>solve</c> and the manifest share.</summary>
internal static class PlanText
{
    /// <summary>"31 layers: 20 int8-dynamic, 11 fp32".</summary>
    public static string Formats(IReadOnlyList<PlannedSubgraph> subgraphs)
    {
        PlannedLayer[] layers = [.. subgraphs.SelectMany(s => s.Layers)];
        var counts = layers.CountBy(l => l.Format).OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal);
        return $"{ReportText.Count(layers.Length, "layer")}: {string.Join(", ", counts.Select(c => $"{c.Value} {c.Key}"))}";
    }

    /// <param name="objective">"time", "theoretical-time" or "memory": what the gain counts.</param>
    public static string Predicted(Prediction predicted, double budget, string objective) =>
        $"predicted: relative loss error {ReportText.Percent(predicted.RelativeLossError)} of {ReportText.Percent(budget)} allowed (loss MSE "
        + $"{ReportText.Number(predicted.LossMse)}), {Gain(predicted.TimeGain, objective)} saved{(objective == "time" ? " a run" : "")}";

    public static string Solver(SolverSummary solver) =>
        $"solver: {solver.Status}, objective {ReportText.Number(solver.Objective)}, bound {ReportText.Number(solver.Bound)}";

    public static string[] Row(BaselinePlan baseline, string objective) =>
    [
        baseline.Name,
        $"{Gain(baseline.TimeGain, objective)} saved",
        $"loss MSE {ReportText.Number(baseline.LossMse)}",
        baseline.WithinBudget ? "within budget" : "over budget",
    ];

    private static string Gain(double gain, string objective) => objective switch
    {
        "time" => ReportText.Milliseconds(gain),
        "memory" => $"{ReportText.Bytes((long)gain)} of weights",
        _ => $"{ReportText.Number(gain)} multiply-accumulates",
    };

    /// <summary>One row a layer: sub-graph, format, operator, shape, name.</summary>
    public static IEnumerable<string> Layers(IReadOnlyList<PlannedSubgraph> subgraphs) => ReportText.Table([.. subgraphs.SelectMany(s => s.Layers.Select((layer, i) => new[]
    {
        i == 0 ? s.Index.ToString(System.Globalization.CultureInfo.InvariantCulture) : "",
        layer.Format,
        layer.Operator,
        ReportText.Shape(layer.WeightShape),
        layer.Name + (layer.Pinned is null ? "" : $" (pinned by '{layer.Pinned}')"),
    }))]);
}
