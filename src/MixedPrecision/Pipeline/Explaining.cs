using MixedPrecision.Calibration;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;

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
    /// <param name="solve">The plan of greatest gain of a program.</param>
    /// <param name="without">The plan as it would be without one of the policy's rules.</param>
    /// <param name="frontier">All plans of greatest gain.</param>
    public static Explanation Of(
        PlanningInput input,
        Gains gains,
        Plan plan,
        double tau,
        IReadOnlyList<LayerRule> rules,
        Func<SolverProblem, Plan> solve,
        Func<LayerRule, Plan> without,
        IReadOnlyList<Plan> frontier)
    {
        SolverProblem problem = input.Problem(gains, input.LossBudget(tau));
        return new Explanation(
            plan.Gain,
            input.Tau(plan.Loss),
            [.. input.Partition.Subgraphs.SelectMany(s => s.Layers.Select((layer, index) => LayerOf(input, gains, plan, input.LossBudget(tau), s, layer, index)))],
            [.. rules.Select(rule => RuleOf(rule, without(rule)))],
            [.. Blocking(problem, plan).Select(layer => new HelpfulLayer(layer, solve(Freed(problem, layer)).Gain - plan.Gain)).Where(h => h.Gain > 0).OrderByDescending(h => h.Gain)],
            frontier.FirstOrDefault(p => p.Gain > plan.Gain && p.Loss > problem.LossBudget) is { } next ? new NextStep(input.Tau(next.Loss), next.Gain - plan.Gain) : null);

        ExplainedRule RuleOf(LayerRule rule, Plan others) => new(
            rule.Match,
            rule.Format,
            others.Infeasibility is null ? others.Gain - plan.Gain : null,
            plan.Infeasibility is null ? null : input.Tau(others.Infeasibility?.MinimalLoss ?? others.Loss));
    }

    private static ExplainedLayer LayerOf(PlanningInput input, Gains gains, Plan plan, double budget, Subgraph subgraph, Layer layer, int index)
    {
        LayerOptions options = input.Allowed[layer.Name];
        LayerSensitivity sensitivity = input.Sensitivities.Layers.First(l => l.Name == layer.Name);
        string taken = plan.Configurations[subgraph.Index].Formats[index], structure = plan.Configurations[subgraph.Index].Structure;
        ExplainedFormat Format(string name)
        {
            double loss = sensitivity.Formats.GetValueOrDefault(name)?.Measured ?? 0;
            Gain? alone = gains.Find(Problems.Alone(subgraph, index, name));
            string why = name == taken ? "taken"
                : loss > budget ? "loses more than the whole budget by itself"
                : alone is null ? "does not run here"
                : alone.Value.High < 0 ? "slower than the original by itself"
                : alone.Value.Low <= 0 ? "its gain is not told from zero"
                : "the plan gains more with the loss elsewhere";
            return new ExplainedFormat(name, budget > 0 ? loss / budget : 0, alone is { } gain ? [gain.Low, gain.Centre, gain.High] : null, why);
        }

        string reason = options.Pinned is not null ? $"the rule {Diagnostics.Wording.Quote(options.Pinned)} pins it"
            : structure != Structures.Structure.Exported && input.Structures(subgraph).FirstOrDefault(s => s.Structure.Name == structure)?.Match.Fixed.ContainsKey(layer.Name) == true ? $"{structure} computes it"
            : sensitivity.Reason is { } unjudged ? unjudged
            : options.Formats.All(f => f == Problems.Baseline) ? "no format applies"
            : taken == Problems.Baseline ? "each format costs more than it is worth" : "gains most for its loss";
        return new ExplainedLayer(
            layer.Name,
            layer.Operator,
            taken,
            reason,
            [.. options.Formats.Where(f => f != Problems.Baseline).Select(Format)],
            options.NotApplicable);
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
