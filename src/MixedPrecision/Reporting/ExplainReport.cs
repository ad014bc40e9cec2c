using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Reporting;

/// <summary>A format of a layer.</summary>
/// <param name="Format">Its name.</param>
/// <param name="LossShare">The loss MSE that it adds by itself, as a share of the budget.</param>
/// <param name="Gain">What the layer gains in it alone: lower end, best estimate and upper end; null where it does not run.</param>
/// <param name="Why">A clause for people.</param>
public sealed record ExplainedFormat(string Format, double LossShare, IReadOnlyList<double>? Gain, string Why);

/// <summary>A layer in the plan.</summary>
/// <param name="Name">The layer.</param>
/// <param name="Operator">Its operator.</param>
/// <param name="Format">The format that it has.</param>
/// <param name="Reason">A clause for people; layers that have it for the same reason have the same.</param>
/// <param name="Detail">The numbers behind it: a format, what the layer gains in it alone, and what share of the budget it takes; empty where there are none.</param>
/// <param name="Formats">What else it might have.</param>
/// <param name="NotApplicable">Formats that it cannot have, with the reason.</param>
public sealed record ExplainedLayer(
    string Name, string Operator, string Format, string Reason, string Detail, IReadOnlyList<ExplainedFormat> Formats, IReadOnlyDictionary<string, string> NotApplicable);

/// <summary>A rule of the policy.</summary>
/// <param name="Match">Its pattern.</param>
/// <param name="Asks">What it asks for, in the policy's words.</param>
/// <param name="Cost">What the plan would gain more without it; null where no plan is within the budget even then.</param>
/// <param name="LeastTau">Where the rules force more loss than the budget allows: the least budget without this one.</param>
public sealed record ExplainedRule(string Match, string Asks, double? Cost, double? LeastTau);

/// <summary>A limit of the budget.</summary>
/// <param name="Text">In the policy's words.</param>
/// <param name="Cost">What the plan is predicted to gain more without it; null where no plan is within the other limits either, and where the emitted file alone tells of it.</param>
/// <param name="IsInTheWay">Whether there is a plan without it, and none with it.</param>
public sealed record ExplainedLimit(string Text, double? Cost, bool IsInTheWay);

/// <summary>That no plan is small enough within the loss that is allowed.</summary>
/// <param name="Text">The limit in the policy's words.</param>
/// <param name="Allowed">The same in bytes.</param>
/// <param name="Smallest">Bytes of the smallest file within the loss, as predicted.</param>
/// <param name="TauOfSmallest">Its predicted relative loss error.</param>
/// <param name="LeastTau">The least loss error, as far as found, of a plan that is small enough; null where none is.</param>
public sealed record ExplainedSize(string Text, long Allowed, long Smallest, double TauOfSmallest, double? LeastTau);

/// <summary>A layer whose error is in the way.</summary>
/// <param name="Name">The layer.</param>
/// <param name="Gain">What the plan would gain more if it lost nothing in any format.</param>
public sealed record HelpfulLayer(string Name, double Gain);

/// <summary>The smallest budget that buys more.</summary>
/// <param name="Tau">The budget, as a fraction.</param>
/// <param name="Gain">What it gains beyond the plan.</param>
public sealed record NextStep(double Tau, double Gain);

/// <summary>What rules, or a limit of the size, force.</summary>
/// <param name="LeastTau">The least budget that they allow, as far as found.</param>
/// <param name="Layers">Layers that they leave no choice without loss, the largest first.</param>
public sealed record ExplainedInfeasibility(double LeastTau, IReadOnlyList<ForcedLoss> Layers)
{
    /// <summary>Null where rules alone force too much.</summary>
    public ExplainedSize? Size { get; init; }
}

/// <summary>The least loss that a layer has.</summary>
/// <param name="Name">The layer.</param>
/// <param name="Tau">That loss by itself, as a relative loss error.</param>
public sealed record ForcedLoss(string Name, double Tau);

/// <summary>Why the plan is what it is.</summary>
/// <param name="Gain">What it gains.</param>
/// <param name="Tau">What it is predicted to lose.</param>
/// <param name="Layers">In the order of the model.</param>
/// <param name="Rules">In the order of the policy.</param>
/// <param name="Helpful">Most gain first.</param>
/// <param name="Next">Null where nothing gains more.</param>
public sealed record Explanation(
    double Gain, double Tau, IReadOnlyList<ExplainedLayer> Layers, IReadOnlyList<ExplainedRule> Rules, IReadOnlyList<HelpfulLayer> Helpful, NextStep? Next)
{
    /// <summary>The best plan of up to twice the budget; null where that gains no more.</summary>
    public NextStep? Doubled { get; init; }

    /// <summary>The limits of a budget that has several.</summary>
    public IReadOnlyList<ExplainedLimit> Limits { get; init; } = [];

    /// <summary>Null where a plan is within the budget; else the plan is that of least loss.</summary>
    public ExplainedInfeasibility? Infeasible { get; init; }
}

/// <summary>What <c>explain</c> tells.</summary>
/// <param name="Model">The file.</param>
/// <param name="Budget">The policy's τ, as a fraction.</param>
/// <param name="Unit">Unit of the gains.</param>
/// <param name="Plan">The explanation; null where no layer has a choice.</param>
/// <param name="Warnings">What the reader should know.</param>
public sealed record ExplainReport(ModelSummary Model, double Budget, string Unit, Explanation? Plan, IReadOnlyList<string> Warnings)
{
    /// <summary>Layers that are named where rules force too much.</summary>
    private const int MostLayers = 8;

    public string ToJson() => ReportJson.Write(this);

    /// <summary>The scenario that the plan is for by itself; null: all of them, weighted.</summary>
    public string? Scenario { get; init; }

    /// <summary>For people: the layers grouped by what they have and why; or, where one is asked for, all of that one.</summary>
    public IEnumerable<string> ToLines() => Plan is null ? [$"{Model.File}: no layer has a choice", .. ReportText.Warnings(Warnings)]
        : Plan.Layers.Count == 1 ? [.. LinesOf(Plan.Layers[0]), .. ReportText.Warnings(Warnings)]
        :
        [
            Plan.Infeasible is { Size: { } size } ? LineOf(size)
                : Plan.Infeasible is { } none
                ? $"{Model.File}: no plan is within the budget of {ReportText.Percent(Budget)}: rules force a predicted relative loss error of {ReportText.Percent(none.LeastTau)}"
                : $"{Model.File}: {PlanText.Gain(Plan.Gain, Unit)} saved at a predicted relative loss error of {ReportText.Percent(Plan.Tau)} of {ReportText.Percent(Budget)} allowed",
            .. (Plan.Infeasible?.Layers ?? []).Take(MostLayers).Select(l => $"forced: {Wording.Quote(l.Name)} loses {ReportText.Percent(l.Tau)} by itself"),
            .. ReportText.Table([.. Plan.Layers.GroupBy(l => (l.Format, l.Operator, l.Reason)).Select(g => new[] { $"{g.Count()} {g.Key.Operator}", g.Key.Format, g.Key.Reason, NamePatterns.Text(g.Select(l => l.Name)) })]),
            .. Plan.Layers.Where(l => l.Format == FormatFamilies.Baseline && l.Detail.Length > 0).GroupBy(l => l.Reason).Select(g => $"{g.Key}: {Wording.Quote(g.First().Name)} ({g.First().Detail})"),
            .. Plan.Rules.Select(LineOf),
            .. Plan.Limits.Select(LineOf),
            .. Plan.Next is { } next ? [$"next: a budget of {ReportText.Percent(next.Tau)} saves {PlanText.Gain(next.Gain, Unit)} more"] : new[] { "next: no budget buys more" },
            .. Helps(),
            .. ReportText.Warnings(Warnings),
        ];

    /// <summary>What would help most, the greatest gain first.</summary>
    private IEnumerable<string> Helps() => Plan!.Helpful.Select(h => (h.Gain, Text: $"without the error of {Wording.Quote(h.Name)}, which is in the way"))
        .Concat(Plan.Rules.Where(r => r.Cost > 0).Select(r => (r.Cost!.Value, $"without the rule {Wording.Quote(r.Match)}")))
        .Concat(Plan.Limits.Where(l => l.Cost > 0).Select(l => (l.Cost!.Value, $"without the limit {l.Text}")))
        .Concat(Plan.Doubled is { } doubled ? [(doubled.Gain, $"with twice the budget, of which {ReportText.Percent(doubled.Tau)} are used")] : [])
        .OrderByDescending(h => h.Item1)
        .Select(h => $"would help: {PlanText.Gain(h.Item1, Unit)} more {h.Item2}");

    private string LineOf(ExplainedSize size) =>
        $"{Model.File}: no plan meets {size.Text} within a relative loss error of {ReportText.Percent(Budget)}: the smallest has about {ReportText.Bytes(size.Smallest)}, at {ReportText.Percent(size.TauOfSmallest)}; "
        + (size.LeastTau is { } least ? $"{ReportText.Bytes(size.Allowed)} need {ReportText.Percent(least)}" : "none is small enough, whatever it loses");

    private string LineOf(ExplainedLimit limit) => $"limit {limit.Text}: "
        + (limit.IsInTheWay ? "without it there is a plan" : limit.Cost is not { } cost ? "told by the emitted file alone, or not alone in the way" : cost > 0 ? $"costs {PlanText.Gain(cost, Unit)}" : "costs nothing");

    private string LineOf(ExplainedRule rule) => $"rule {Wording.Quote(rule.Match)} ({rule.Asks}): "
        + (rule.Cost is not { } cost ? "without it, too, no plan is within the budget" : cost > 0 ? $"costs {PlanText.Gain(cost, Unit)}" : "costs nothing")
        + (rule.LeastTau is { } least ? $"; without it the least budget is {ReportText.Percent(least)}" : "");

    private IEnumerable<string> LinesOf(ExplainedLayer layer) =>
    [
        $"{Wording.Escape(layer.Name)} ({Wording.Escape(layer.Operator)}): {layer.Format}: {layer.Reason}{(layer.Detail.Length > 0 ? $" ({layer.Detail})" : "")}",
        .. ReportText.Table([.. layer.Formats.Select(f => new[]
        {
            f.Format,
            $"{ReportText.Percent(f.LossShare)} of the budget",
            f.Gain is { } gain ? $"{PlanText.Gain(gain[1], Unit)} saved alone [{PlanText.Gain(gain[0], Unit)}, {PlanText.Gain(gain[2], Unit)}]" : "",
            f.Why,
        })]),
        .. layer.NotApplicable.Select(n => $"  not {n.Key}: {n.Value}"),
    ];
}
