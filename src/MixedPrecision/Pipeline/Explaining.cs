using MixedPrecision.Calibration;
using MixedPrecision.Diagnostics;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>Why a plan is what it is: of each layer, of each rule, and what would help. All from what calibration and timings found.</summary>
internal static class Explaining
{
    /// <summary>Layers without whose error the program is solved again: those that are most in the way.</summary>
    private const int MostHelpful = 6;

    /// <param name="input">What plans are made of.</param>
    /// <param name="gains">What is known of them.</param>
    /// <param name="plan">The plan of the policy's budget.</param>
    /// <param name="tau">That budget.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="solve">The plan of greatest gain of a program.</param>
    /// <param name="without">The plan as it would be without one of the policy's rules; null where the others cannot be kept without it.</param>
    /// <param name="within">The plan as it would be within another budget, of which a loss without a limit is one.</param>
    /// <param name="frontier">All plans of greatest gain.</param>
    /// <param name="say">A gain in words.</param>
    public static Explanation Of(
        PlanningInput input,
        Gains gains,
        Plan plan,
        double tau,
        Policy policy,
        Func<SolverProblem, Plan> solve,
        Func<LayerRule, Plan?> without,
        Func<BudgetPolicy, Plan> within,
        IReadOnlyList<Plan> frontier,
        Func<double, string> say)
    {
        SolverProblem problem = input.Problem(gains, input.LossBudget(tau));
        var sensitivities = input.Sensitivities.Layers.ToDictionary(l => l.Name);
        return new Explanation(
            plan.Gain,
            input.Tau(plan.Loss),
            [.. input.Partition.Subgraphs.SelectMany(s => s.Layers.Select((layer, index) => LayerOf(input, sensitivities[layer.Name], gains, plan, input.LossBudget(tau), s, layer, index, say)))],
            [.. policy.Layers.Select(rule => RuleOf(rule, without(rule)))],
            [.. Blocking(input.Opened.Problem(gains, problem.LossBudget), plan).Select(layer => new HelpfulLayer(layer, solve(Freed(problem, layer)).Gain - plan.Gain)).Where(h => h.Gain > 0).OrderByDescending(h => h.Gain)],
            frontier.FirstOrDefault(p => p.Gain > plan.Gain && p.Loss > problem.LossBudget) is { } next ? Step(next) : null)
        {
            Doubled = frontier.LastOrDefault(p => p.Gain > plan.Gain && input.Tau(p.Loss) <= 2 * tau) is { } doubled && plan.Infeasibility is null ? Step(doubled) : null,
            Limits = policy.Budget.Limits.Count == 1 && policy.Budget.Size is null ? [] : [.. LimitsOf(policy.Budget, plan, within)],
            Infeasible = plan.Infeasibility is not { } least ? null : new ExplainedInfeasibility(input.Tau(least.MinimalLoss), [.. least.Layers.Select(l => new ForcedLoss(l.Layer, input.Tau(l.Loss)))])
            {
                Size = SizeShortfall.Of(input, gains, problem.LossBudget, plan, solve) is { } large ? new ExplainedSize(policy.Budget.Size!.ToString(), large.Most, large.Smallest, large.TauAtSmallest, large.LeastTau) : null,
            },
        };

        NextStep Step(Plan more) => new(input.Tau(more.Loss), more.Gain - plan.Gain);

        ExplainedRule RuleOf(LayerRule rule, Plan? others) => new(
            rule.Match,
            rule.Asks,
            others is { Infeasibility: null } ? others.Gain - plan.Gain : null,
            plan.Infeasibility is null || others is null || others.Infeasibility is { IsTooLarge: true } ? null : input.Tau(others.Infeasibility?.MinimalLoss ?? others.Loss));
    }

    /// <summary>What each limit costs, as far as plans are made by it: accuracy and answers are told by the emitted file alone.</summary>
    private static IEnumerable<ExplainedLimit> LimitsOf(BudgetPolicy budget, Plan plan, Func<BudgetPolicy, Plan> within)
    {
        foreach (LossLimit limit in budget.Limits)
        {
            yield return limit.Kind is BudgetKind.LossError or BudgetKind.LossIncrease || budget.Limits.Count == 1
                ? Of(limit.ToString(), budget with { Limits = [.. budget.Limits.Where(other => other != limit)] })
                : new ExplainedLimit(limit.ToString(), null, IsInTheWay: false);
        }

        if (budget.Size is { } size)
        {
            yield return Of(size.ToString(), budget with { Size = null });
        }

        ExplainedLimit Of(string text, BudgetPolicy others) => within(others) is var free && free.Infeasibility is null
            ? new ExplainedLimit(text, free.Gain - plan.Gain, plan.Infeasibility is not null) : new ExplainedLimit(text, null, IsInTheWay: false);
    }

    private static ExplainedLayer LayerOf(PlanningInput input, LayerSensitivity sensitivity, Gains gains, Plan plan, double budget, Subgraph subgraph, Layer layer, int index, Func<double, string> say)
    {
        LayerOptions options = input.Allowed[layer.Name];
        string taken = plan.Configurations[subgraph.Index].Formats[index], structure = plan.Configurations[subgraph.Index].Structure;
        ExplainedFormat[] formats = [.. options.Formats.Where(f => f != Problems.Baseline).Select(Format)];
        (string reason, string detail) = options.Pinned is not null ? ($"the rule {Wording.Quote(options.Pinned)} pins it", "")
            : structure != Structure.Exported && input.Structures(subgraph).FirstOrDefault(s => s.Structure.Name == structure)?.Match.Fixed.ContainsKey(layer.Name) == true ? ($"{structure} computes it", "")
            : sensitivity.Reason is { } unjudged ? (unjudged, "")
            : formats.Length == 0 ? ("no format applies", string.Join("; ", options.NotApplicable.Values.Distinct()))
            : taken != Problems.Baseline ? (input.Size is not null && formats.First(f => f.Format == taken).Gain is [_, < 0, _] ? "makes the file small enough" : "gains most for its loss", Of(formats.First(f => f.Format == taken)))
            : input.SharedFormats.FirstOrDefault(group => group.Contains(layer.Name)) is { } sharing ? ($"shares its format with {ReportText.Count(sharing.Count - 1, "other layer")}", "")
            : Kept();
        return new ExplainedLayer(layer.Name, layer.Operator, taken, reason, detail, formats, options.NotApplicable);

        ExplainedFormat Format(string name)
        {
            double loss = sensitivity.Formats.GetValueOrDefault(name)?.Measured ?? 0;
            Gain? alone = gains.Find(Problems.Alone(subgraph, index, name));
            string why = name == taken ? "taken"
                : loss > budget ? "loses more than the whole budget by itself"
                : alone is null ? gains.IsAbsent(Problems.Alone(subgraph, index, name)) ? "is not in the profile" : "does not run here"
                : alone.Value.High < 0 ? "slower than the original by itself"
                : alone.Value.Low <= 0 ? "its gain is not told from zero"
                : "the plan gains more with the loss elsewhere";
            return new ExplainedFormat(name, budget > 0 ? loss / budget : 0, alone is { } gain ? [gain.Low, gain.Centre, gain.High] : null, why);
        }

        (string Reason, string Detail) Kept()
        {
            // What the layer gains together with others counts too: they may share the quantization of an input, or what a change of form between them costs.
            (Configuration Configuration, Gain Gain)[] changing = [.. gains.Of(subgraph).Where(g => g.Configuration.Formats[index] != Problems.Baseline)];
            double withOthers = gains.Consequences.Where(c => c.Gain > 0 && c.Choices.Any(choice => choice.Layer == layer.Name)).Sum(c => c.Gain);
            ExplainedFormat[] running = [.. formats.Where(f => f.Gain is not null)];
            if (changing.Length == 0 || running.Length == 0)
            {
                return ("no format runs here", "");
            }

            if (changing.All(g => g.Gain.Low + withOthers <= 0))
            {
                ExplainedFormat best = running.MaxBy(f => f.Gain![1])!;
                return ("no format was found to gain", Of(best));
            }

            ExplainedFormat least = running.MinBy(f => f.LossShare)!;
            return least.LossShare > 1 || budget == 0 ? ("too sensitive", Of(least)) : ("its gain is not worth the loss", Of(running.OrderBy(f => f.LossShare > 1).ThenByDescending(f => f.Gain![1] / Math.Max(f.LossShare, 1e-9)).First()));
        }

        string Of(ExplainedFormat format) => $"{format.Format}: "
            + (format.Gain is not [double low, double centre, double high] ? "" : centre >= 0 ? $"{say(centre)} saved alone [{say(low)}, {say(high)}], " : $"{say(-centre)} slower alone [{say(-high)}, {say(-low)}], ")
            + $"{ReportText.Percent(format.LossShare)} of the budget";
    }

    /// <summary>The layers that keep least of what they could gain, for their loss: greatest additive gain that is not taken.</summary>
    private static IEnumerable<string> Blocking(SolverProblem problem, Plan plan) => problem.Subgraphs
        .SelectMany((subgraph, s) => subgraph.Layers.Select((layer, index) => (layer.Name, Left: layer.Choices.Max(c => c.Gain) - layer.Choices.First(c => c.Format == plan.Configurations[s].Formats[index]).Gain)))
        .Where(l => l.Left > 0).OrderByDescending(l => l.Left).Take(MostHelpful).Select(l => l.Name);

    /// <summary>The program as if a layer lost nothing in any format.</summary>
    private static SolverProblem Freed(SolverProblem problem, string layer)
    {
        bool[] isOf = [.. problem.Subgraphs.SelectMany(s => s.Layers).SelectMany(l => l.Choices.Select(_ => l.Name == layer))];
        return problem with
        {
            Subgraphs = [.. problem.Subgraphs.Select(s => s with
            {
                Layers = [.. s.Layers.Select(l => l.Name != layer ? l : l with { Choices = [.. l.Choices.Select(c => c with { Loss = 0 })] })],
            })],
            Loss = problem.Loss is not LossModel.Quadratic quadratic ? problem.Loss : quadratic with
            {
                Deltas = [.. quadratic.Deltas.Select((row, i) => isOf[i] ? [] : row)],
                Rises = [.. quadratic.Rises.Select((rise, i) => isOf[i] ? 0 : rise)],
            },
        };
    }
}
