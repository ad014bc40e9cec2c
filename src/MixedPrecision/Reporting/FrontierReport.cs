namespace MixedPrecision.Reporting;

/// <summary>What <c>frontier</c> found: what each budget would buy.</summary>
/// <param name="Model">The file.</param>
/// <param name="Objective">"time", "theoretical-time" or "memory".</param>
/// <param name="Unit">Unit of the gains.</param>
/// <param name="Original">What the original takes, in that unit.</param>
/// <param name="Budget">The policy's τ, as a fraction.</param>
/// <param name="Points">All plans of greatest gain, in order of loss.</param>
/// <param name="Warnings">What the reader should know.</param>
public sealed record FrontierReport(
    ModelSummary Model, string Objective, string Unit, double Original, double Budget, IReadOnlyList<FrontierPoint> Points, IReadOnlyList<string> Warnings)
{
    /// <summary>People get to see about so many points: those whose gains differ most.</summary>
    private const int MostLines = 24;

    /// <summary>The scenario that the plans are for by itself; null: all of them, weighted.</summary>
    public string? Scenario { get; init; }

    public string ToJson() => ReportJson.Write(this);

    /// <summary>A table for people; the point that the policy's budget buys is marked.</summary>
    public IEnumerable<string> ToLines() =>
    [
        $"{Model.File}: {ReportText.Count(Points.Count, "plan")} of greatest gain, from no loss to all that gains",
        .. ReportText.Table([["budget", "saved", "", "size", "layers", ""], .. Shown().Select(Row)]),
        .. ReportText.Warnings(Warnings),
    ];

    private string[] Row(FrontierPoint point) =>
    [
        ReportText.Percent(point.Tau),
        PlanText.Gain(point.Gain, Unit),
        Original > 0 ? ReportText.Percent(point.Gain / Original) : "",
        ReportText.Bytes(point.Bytes),
        ReportText.Count(point.Changed),
        string.Join("; ", [
            .. point == Bought ? [$"bought by the policy's budget, {ReportText.Percent(Budget)}"] : Array.Empty<string>(),
            .. point.Verified is { } measured ? [$"verified: {ReportText.Percent(measured)} measured"] : Array.Empty<string>(),
        ]),
    ];

    /// <summary>The last point within the policy's budget, or null.</summary>
    private FrontierPoint? Bought => Points.LastOrDefault(p => p.Tau <= Budget);

    private IEnumerable<FrontierPoint> Shown()
    {
        double step = Points.Count <= MostLines ? 0 : (Points[^1].Gain - Points[0].Gain) / MostLines, next = double.NegativeInfinity;
        foreach (FrontierPoint point in Points)
        {
            if (point.Gain >= next || point == Bought || point == Points[^1] || point.Verified is not null)
            {
                yield return point;
                next = point.Gain + step;
            }
        }
    }
}
