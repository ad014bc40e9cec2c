using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Reporting;

/// <summary>Layers of a plan that are alike: a model of equal blocks has few of them.</summary>
/// <param name="Operator">Their operator.</param>
/// <param name="Shape">Shape of their weights, or the range of it.</param>
/// <param name="Format">The format that they have.</param>
/// <param name="Structure">How their sub-graphs are written.</param>
/// <param name="Why">Why they have it.</param>
/// <param name="LossMse">The loss MSE that they are predicted to add, each by itself; null where it is not known, or where they stay as they are.</param>
/// <param name="Names">Their names, in the order of the model.</param>
internal sealed record LayerGroup(string Operator, string Shape, string Format, string Structure, string Why, double? LossMse, IReadOnlyList<string> Names)
{
    /// <summary>
    /// The layers of a plan, those together that differ in nothing but their names and numbers, and where that leaves more than a screen in sizes either; in the order of their first ones.
    /// </summary>
    /// <param name="tried">What was timed of sub-graphs, or null.</param>
    /// <param name="budget">The loss MSE that is allowed, or null where that is not known.</param>
    public static IReadOnlyList<LayerGroup> Of(IReadOnlyList<PlannedSubgraph> subgraphs, IReadOnlyList<TriedSubgraph>? tried, double? budget)
    {
        ILookup<string, TriedConfiguration> known = (tried ?? []).SelectMany(t => t.Configurations.Select(c => (t.Fingerprint, c))).ToLookup(t => t.Fingerprint, t => t.c);
        (string Structure, PlannedLayer Layer, string Why)[] layers = [.. subgraphs.SelectMany(s => s.Layers.Select((layer, index) =>
            (s.Structure, layer, WhyOf(layer, LayerVerdicts.Of(layer, LayerVerdicts.Changing(index, known[s.Fingerprint]), budget)))))];
        return [.. Grouped.Of(
            layers,
            l => (l.Layer.Operator, ReportText.Shape(l.Layer.WeightShape), l.Layer.Format, l.Structure, l.Why),
            l => (Grouped.KindOf(l.Layer.Operator, l.Layer.WeightShape), l.Layer.Format, l.Structure, l.Why)).Select(group => new LayerGroup(
                group[0].Layer.Operator, Grouped.Shape(group.Select(l => l.Layer.WeightShape)), group[0].Layer.Format, group[0].Structure, group[0].Why, LossOf(group.Select(l => l.Layer)), [.. group.Select(l => l.Layer.Name)]))];
    }

    /// <summary>The groups of a plan as lines.</summary>
    /// <param name="budget">The loss MSE that is allowed, or null where that is not known.</param>
    public static IEnumerable<string> Lines(IReadOnlyList<PlannedSubgraph> subgraphs, IReadOnlyList<TriedSubgraph>? tried, double? budget)
    {
        IReadOnlyList<LayerGroup> groups = Of(subgraphs, tried, budget);
        return groups.Count == 0 ? []
            : [$"layers, {ReportText.Count(groups.Count, "kind")} of them in {ReportText.Count(subgraphs.Count, "sub-graph")}:", .. ReportText.Table([.. groups.Select(g => g.Row(budget))])];
    }

    private string[] Row(double? budget) =>
    [
        $"{ReportText.Count(Names.Count)} {Wording.Escape(Operator)}",
        Shape,
        Wording.Escape(Format),
        Structure == Structures.Structure.Exported ? "" : Wording.Escape(Structure),
        LossMse is { } mse ? budget is { } allowed ? $"{ReportText.Percent(mse / allowed)} of the allowed loss MSE" : $"loss MSE {ReportText.Number(mse)}" : "",
        Why,
        NamePatterns.Quoted(Names),
    ];

    private static double? LossOf(IEnumerable<PlannedLayer> layers)
    {
        double[] known = [.. layers.Where(l => l.Format != FormatFamilies.Baseline).SelectMany(l => l.Sensitivity.TryGetValue(l.Format, out double mse) ? new[] { mse } : [])];
        return known.Length > 0 ? known.Sum() : null;
    }

    /// <summary>A clause without numbers: layers that have a format for one reason have the same.</summary>
    private static string WhyOf(PlannedLayer layer, LayerVerdict verdict) => verdict switch
    {
        LayerVerdict.Pinned => $"the rule {Wording.Quote(layer.Pinned!)} sets it",
        LayerVerdict.Changed => "",
        LayerVerdict.NotApplicable => "no format applies",
        LayerVerdict.NotJudged => "no other format was judged",
        LayerVerdict.NothingGains => "no format was found to gain",
        LayerVerdict.TooSensitive => "too sensitive by itself",
        _ => "the gain is not worth the loss",
    };
}
