using MixedPrecision.Calibration;
using MixedPrecision.Partitioning;
using MixedPrecision.Solving;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>What plans are made of, besides gains and a budget.</summary>
/// <param name="Allowed">By layer, the formats it may take.</param>
internal sealed record PlanningInput(Partition Partition, IReadOnlyDictionary<string, LayerOptions> Allowed, Sensitivities Sensitivities)
{
    /// <summary>Which gains are worth a loss.</summary>
    public GainFloor Floor { get; init; } = GainFloor.None;

    /// <summary>Layers that may run in something else than the baseline.</summary>
    public int Choosing => Allowed.Values.Count(o => o.Formats.Any(f => f != Problems.Baseline));

    /// <summary>Whether a rule pins some layer to another format than the baseline.</summary>
    public bool HasPins => Allowed.Values.Any(o => o.Pinned is not null && !o.Formats.Contains(Problems.Baseline));

    /// <summary>The greatest loss MSE that a τ allows: τ² · E[g²].</summary>
    public double LossBudget(double tau) => tau * tau * Sensitivities.MeanSquareLoss;

    /// <summary>The relative loss error that a loss MSE is.</summary>
    public double Tau(double lossMse) => lossMse == 0 ? 0 : Math.Sqrt(lossMse / Sensitivities.MeanSquareLoss);

    /// <summary>The program with all that is predicted of the loss, or with the diagonal alone.</summary>
    public SolverProblem Problem(Gains gains, double lossBudget, bool isQuadratic = true) =>
        Problems.Build(Partition, Allowed, Sensitivities, gains, lossBudget, isQuadratic, Floor);

    /// <summary>For each layer the format that a rule pins it to, else the baseline: what is left when nothing is gained.</summary>
    public IReadOnlyList<IReadOnlyList<string>> RulesAlone => Choose(o => o.Pinned is null ? Problems.Baseline : o.Formats[0]);

    /// <summary>For each layer a format if it may take that, else what a rule or the baseline says.</summary>
    public IReadOnlyList<IReadOnlyList<string>> Uniform(string format) =>
        Choose(o => o.Formats.Contains(format) ? format : o.Formats.Contains(Problems.Baseline) ? Problems.Baseline : o.Formats[0]);

    private IReadOnlyList<IReadOnlyList<string>> Choose(Func<LayerOptions, string> format) =>
        [.. Partition.Subgraphs.Select(s => (IReadOnlyList<string>)[.. s.Layers.Select(l => format(Allowed[l.Name]))])];
}

/// <summary>What planning asks of the rest of the pipeline.</summary>
/// <param name="Solve">The plan of greatest gain of a program.</param>
/// <param name="Measure">Gains with those of further configurations.</param>
/// <param name="Evaluate">The change of the loss that the file emitted from a plan is measured to have, on samples that calibration did not see.</param>
/// <param name="Say">Told what happens, for people.</param>
internal sealed record PlanningSteps(
    Func<SolverProblem, Plan> Solve,
    Func<Gains, IReadOnlyList<Configuration>, Gains> Measure,
    Func<Plan, LossChange> Evaluate,
    Action<string> Say);

/// <summary>Finds the plan of a budget.</summary>
internal static class Planner
{
    /// <summary>A budget that is just feasible, with room for what its rounding to integers takes.</summary>
    private const double JustFeasible = 1 + 1e-6;

    /// <summary>
    /// The best plan within a loss MSE, on measured gains alone: solves with what is known, measures what the plan uses and was not measured as a whole,
    /// and solves again (design, section 6). The diagonal alone, which is solved in no time, finds out which configurations to measure; the plan is then that of the whole prediction.
    /// Infeasible when rules of the policy force more loss.
    /// </summary>
    public static (Plan Plan, Gains Gains) Plan(PlanningInput input, Gains gains, double lossBudget, Func<SolverProblem, Plan> solve, Func<Gains, IReadOnlyList<Configuration>, Gains> measure)
    {
        (_, gains) = Plan(input, gains, lossBudget, isQuadratic: false, solve, measure);
        return Plan(input, gains, lossBudget, isQuadratic: true, solve, measure);
    }

    /// <summary>The same, or where that is infeasible the best plan of the least loss MSE that the rules allow.</summary>
    public static (Plan Plan, Gains Gains) PlanOrLeast(PlanningInput input, Gains gains, double lossBudget, Func<SolverProblem, Plan> solve, Func<Gains, IReadOnlyList<Configuration>, Gains> measure)
    {
        (Plan plan, gains) = Plan(input, gains, lossBudget, solve, measure);
        return plan.Infeasibility is { } least ? Plan(input, gains, least.MinimalLoss * JustFeasible, solve, measure) : (plan, gains);
    }

    private static (Plan Plan, Gains Gains) Plan(PlanningInput input, Gains gains, double lossBudget, bool isQuadratic, Func<SolverProblem, Plan> solve, Func<Gains, IReadOnlyList<Configuration>, Gains> measure)
    {
        while (true)
        {
            Plan plan = solve(input.Problem(gains, lossBudget, isQuadratic));
            Configuration[] open = plan.Status == SolverStatus.Infeasible ? [] : [.. input.Partition.Subgraphs
                .Select(s => new Configuration(s, plan.Formats[s.Index]))
                .Where(c => c.Formats.Any(f => f != Problems.Baseline) && !gains.Knows(c))];
            if (open.Length == 0)
            {
                return (plan, gains);
            }

            gains = measure(gains, open);
        }
    }
}
