using MixedPrecision.Policies;
using static MixedPrecision.Reporting.Page.Markup;
using static MixedPrecision.Reporting.Page.Quantity;

namespace MixedPrecision.Reporting.Page;

/// <summary>What would make the file better, as far as the manifest tells.</summary>
internal static class NextSection
{
    /// <summary>A prediction that is off by more deserves more samples.</summary>
    private const double FarOff = 1.25;

    /// <summary>A bound that is further away, as a share of the plan's gain, deserves more measuring.</summary>
    private const double WideGap = 0.02;

    public static Section? Of(PageData data)
    {
        Markup[] steps =
        [
            .. data.Manifest.Advice.Select(Option), .. LargerBudget(data), .. MoreMeasuring(data), .. MoreSamples(data), .. OtherFormats(data),
        ];
        return steps.Length == 0 ? null : new Section("next", "What to try next", Tag("ol", [("class", "steps")], [.. steps.Select(s => Tag("li", s))]));
    }

    private static Markup Option(SessionAdvice advice) => All(
        Tag("b", $"Set the session's {advice.Option}. "),
        advice.Gain is [double low, double centre, double high] ? $"Saves {ReportText.Percent(centre)} of the time of a run [{ReportText.Percent(low)}, {ReportText.Percent(high)}], without a change of the file" : "Saves time without a change of the file",
        advice.Price is null ? "." : $"; {advice.Price}.",
        Tag("pre", [("tabindex", "0")], Tag("code", string.Join('\n', advice.Set.Select(s => s.ToCode())))));

    /// <summary>The next step of the frontier, and its end.</summary>
    private static IEnumerable<Markup> LargerBudget(PageData data)
    {
        double solved = data.Manifest.Budget.SolvedTau;
        FrontierPoint[] beyond = data.Manifest.Solver is null ? [] : [.. data.Frontier.Where(p => p.Tau > solved)];
        if (beyond.Length == 0 || data.Frontier.LastOrDefault(p => p.Tau <= solved) is not { } now || now.Gain >= beyond[0].Gain)
        {
            yield break;
        }

        FrontierPoint end = beyond[^1];
        string all = beyond.Length > 1 ? $" Everything there is to gain, {Gain(end.Gain, data.Unit)}, takes {ReportText.Percent(end.Tau)}." : "";
        yield return All(
            Tag("b", "A larger budget. "),
            $"The next better plan needs an error of {ReportText.Percent(beyond[0].Tau)} and is predicted to gain {Gain(beyond[0].Gain, data.Unit)} instead of {Gain(now.Gain, data.Unit)}.{all}");
    }

    private static IEnumerable<Markup> MoreMeasuring(PageData data)
    {
        if (data.Manifest.Solver is { } solver && solver.Objective > 0 && solver.Bound - solver.Objective > WideGap * solver.Objective)
        {
            yield return All(
                Tag("b", "More time to measure. "),
                $"A plan that gains {Gain(solver.Bound, data.Unit)} instead of {Gain(solver.Objective, data.Unit)} is not excluded: a longer search, by ", Tag("code", "searchSeconds"), " in the policy, would find it or exclude it.");
        }
    }

    private static IEnumerable<Markup> MoreSamples(PageData data)
    {
        (double Predicted, double Measured)[] pairs = [.. data.Manifest.Attempts.Where(a => a.PredictedRelativeLossError > 0).Select(a => (a.PredictedRelativeLossError, a.MeasuredRelativeLossError))];
        if (pairs.Length > 0 && pairs.Max(p => p.Measured / p.Predicted) is > FarOff and var off)
        {
            yield return All(
                Tag("b", "More samples to calibrate. "),
                $"A plan measured {ReportText.Factor(off)} the error that was predicted from {ReportText.Count(data.Manifest.Samples.Calibration, "sample")}: more of them, by ", Tag("code", "calibration.samples"), ", bring the first plan nearer to the budget.");
        }
    }

    /// <summary>Families that no layer was judged in and none was found not to have.</summary>
    private static IEnumerable<Markup> OtherFormats(PageData data)
    {
        HashSet<string> seen = [.. data.Layers.SelectMany(l => l.Layer.Sensitivity.Keys.Concat(l.Layer.NotApplicable.Keys).Append(l.Layer.Format)).Select(FormatNames.Family)];
        string[] others = [.. FormatFamilies.All.Select(f => f.Name).Where(name => !seen.Contains(name))];
        if (data.Layers.Count > 0 && others.Length > 0)
        {
            yield return All(
                Tag("b", "Other formats. "),
                "The policy tried none of ", All(others.Select((name, i) => All(i == 0 ? "" : ", ", Tag("code", name)))), "; ", Tag("code", "formats"), " in the policy adds them.");
        }
    }
}
