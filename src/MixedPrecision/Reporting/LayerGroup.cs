using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Reporting;

/// <summary>Layers of a plan that are alike: a model of equal blocks has few of them.</summary>
/// <param name="Operator">Their operator.</param>
/// <param name="WeightShape">Shape of their weights; empty for products of two activations.</param>
/// <param name="Format">The format that they have.</param>
/// <param name="Structure">How their sub-graphs are written.</param>
/// <param name="Why">Why they have it.</param>
/// <param name="LossMse">The loss MSE that they are predicted to add, each by itself; null where it is not known, or where they stay as they are.</param>
/// <param name="Names">Their names, in the order of the model.</param>
internal sealed record LayerGroup(string Operator, IReadOnlyList<long> WeightShape, string Format, string Structure, string Why, double? LossMse, IReadOnlyList<string> Names)
{
    private const int MostNames = 2;

    /// <summary>The layers of a plan, those together that differ in nothing but their names and numbers; in the order of their first ones.</summary>
    /// <param name="tried">What was timed of sub-graphs, or null.</param>
    /// <param name="budget">The loss MSE that is allowed, or null where that is not known.</param>
    public static IReadOnlyList<LayerGroup> Of(IReadOnlyList<PlannedSubgraph> subgraphs, IReadOnlyList<TriedSubgraph>? tried, double? budget)
    {
        ILookup<string, TriedConfiguration> known = (tried ?? []).SelectMany(t => t.Configurations.Select(c => (t.Fingerprint, c))).ToLookup(t => t.Fingerprint, t => t.c);
        return [.. subgraphs
            .SelectMany(s => s.Layers.Select((layer, index) => (s.Structure, Layer: layer, Why: WhyOf(layer, index, known[s.Fingerprint], budget))))
            .GroupBy(l => (l.Layer.Operator, Shape: ReportText.Shape(l.Layer.WeightShape), l.Layer.Format, l.Structure, l.Why))
            .Select(g => new LayerGroup(g.Key.Operator, g.First().Layer.WeightShape, g.Key.Format, g.Key.Structure, g.Key.Why, LossOf(g.Select(l => l.Layer)), [.. g.Select(l => l.Layer.Name)]))];
    }

    /// <param name="budget">The loss MSE that is allowed, or null where that is not known.</param>
    public string[] Row(double? budget) =>
    [
        $"{ReportText.Count(Names.Count)} {Operator}",
        ReportText.Shape(WeightShape),
        Format,
        Structure == Structures.Structure.Exported ? "" : Structure,
        LossMse is { } mse ? budget is { } allowed ? $"{ReportText.Percent(mse / allowed)} of the allowed loss MSE" : $"loss MSE {ReportText.Number(mse)}" : "",
        Why,
        string.Join(", ", Names.Take(MostNames).Select(Wording.Quote)) + (Names.Count > MostNames ? ", …" : ""),
    ];

    private static double? LossOf(IEnumerable<PlannedLayer> layers)
    {
        double[] known = [.. layers.Where(l => l.Format != FormatFamilies.Baseline).SelectMany(l => l.Sensitivity.TryGetValue(l.Format, out double mse) ? new[] { mse } : [])];
        return known.Length > 0 ? known.Sum() : null;
    }

    /// <summary>A clause without numbers: layers that have a format for one reason have the same.</summary>
    private static string WhyOf(PlannedLayer layer, int index, IEnumerable<TriedConfiguration> tried, double? budget)
    {
        if (layer.Pinned is { } rule)
        {
            return $"the rule {Wording.Quote(rule)} sets it";
        }

        if (layer.Format != FormatFamilies.Baseline)
        {
            return "";
        }

        if (layer.Sensitivity.Count == 0)
        {
            return layer.NotApplicable.Count > 0 ? "no format applies" : "no other format was judged";
        }

        double[] gains = [.. tried.Where(t => index < t.Formats.Count && t.Formats[index] != FormatFamilies.Baseline).Select(t => t.Gain).OfType<ReportedGain>().Select(g => g.Interval is [double low, _] ? low : g.Value)];
        return gains.Length > 0 && gains.All(low => low <= 0) ? "no format was found to gain"
            : budget is { } allowed && layer.Sensitivity.Values.Min() > allowed ? "too sensitive by itself"
            : "the gain is not worth the loss";
    }
}
