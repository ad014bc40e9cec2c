using MixedPrecision.Policies;
using MixedPrecision.Solving;
using MixedPrecision.Validation;

namespace MixedPrecision.Pipeline;

/// <summary>
/// What each strategy chooses at budgets from nothing to everything, by the same program, and what is measured of the files. Of random orders those files are measured whose predicted gains are the quartiles. Structures lose nothing: whatever
/// formats a strategy chooses, each sub-graph has the structure that gains most with them, so that strategies differ in formats alone.
/// </summary>
internal sealed class StrategyTrials(Materials materials, StageRunner runner, StageRunner quiet, Trials trials, ExperimentSizes sizes)
{
    /// <summary>Names of strategies as the stage that competes has them, and as they are reported; that of the uniform configuration begins so.</summary>
    private static readonly (string Start, string Name)[] Simple = [("prefix", ChoiceExperiment.Prefix), ("per-layer", ChoiceExperiment.PerLayer), ("uniform", ChoiceExperiment.Uniform)];

    private static readonly (double Share, string Name)[] Quartiles = [(0.25, ChoiceExperiment.RandomLower), (0.5, ChoiceExperiment.RandomMedian), (0.75, ChoiceExperiment.RandomUpper)];

    /// <param name="gains">Those that are known; more are measured, as for a plan that ships.</param>
    /// <returns>Points in the order of budgets, and the budgets.</returns>
    public (IReadOnlyList<ChoicePoint> Points, IReadOnlyList<double> Budgets) Run(PlanningInput input, Gains gains)
    {
        IReadOnlyList<double> budgets = Budgets.Of(input.Problem(gains, 0), sizes.Budgets);
        gains = runner.Timed("search", report => Search(input, gains, budgets, report));
        SolverProblem problem = input.Problem(gains, 0);
        SolverProblem theoretical = Computed(Objective.TheoreticalTime, input, problem), memory = Computed(Objective.Memory, input, problem);
        Chosen[] chosen = runner.Timed("strategies", report => budgets.Index().SelectMany(budget =>
        {
            report((double)budget.Index / budgets.Count, $"budget {budget.Index + 1} of {budgets.Count}");
            return Choose(problem with { LossBudget = budget.Item }, theoretical with { LossBudget = budget.Item }, memory with { LossBudget = budget.Item })
                .Select(c => c with { Budget = budget.Index, BudgetMse = budget.Item }).ToArray();
        }).ToArray());
        IReadOnlyList<Trial> measured = runner.Timed("choice", report => trials.Measure([.. chosen.Select(c => c.Plan.Configurations)], onCalibration: false, report));
        return ([.. chosen.Zip(measured, PointOf)], budgets);
    }

    /// <summary>Gains with those of what the best plans of the budgets use.</summary>
    private Gains Search(PlanningInput input, Gains gains, IReadOnlyList<double> budgets, Action<double, string> report)
    {
        PlanningSteps steps = Steps.Planning(quiet, new Measuring(materials, quiet));
        for (int i = 0; i < budgets.Count; i++)
        {
            report((double)i / budgets.Count, $"budget {i + 1} of {budgets.Count}");
            (_, gains) = Planner.PlanOrLeast(input, gains, budgets[i], steps);
        }

        return gains;
    }

    /// <summary>The program for an objective that is computed, over the formats that run where time is measured.</summary>
    private SolverProblem Computed(Objective objective, PlanningInput input, SolverProblem timed)
    {
        var running = timed.Subgraphs.SelectMany(s => s.Layers).ToDictionary(l => l.Name, l => l.Choices.Select(c => c.Format).ToHashSet());
        Materials own = materials with { Policy = materials.Policy with { Objective = objective } };
        var measuring = new Measuring(own, quiet);
        (PlanningInput limited, Gains gains) = Steps.Begin(own, measuring, Steps.Input(
            own, input.Allowed.ToDictionary(a => a.Key, a => a.Value with { Formats = [.. a.Value.Formats.Where(running[a.Key].Contains)] }), input.Sensitivities));
        return limited.Problem(gains, 0);
    }

    /// <summary>The plans of all strategies at one budget; those that have none within it are left out.</summary>
    private IEnumerable<Chosen> Choose(SolverProblem problem, SolverProblem theoretical, SolverProblem memory)
    {
        foreach ((string name, SolverProblem own) in new[] { (ChoiceExperiment.Time, problem), (ChoiceExperiment.TheoreticalTime, theoretical), (ChoiceExperiment.Memory, memory) })
        {
            if (Steps.Solve(quiet, own) is { Status: not SolverStatus.Infeasible } plan)
            {
                yield return Settled(name, null, plan);
            }
        }

        foreach (NamedPlan simple in Steps.Strategies(quiet, problem))
        {
            if (Simple.FirstOrDefault(s => simple.Name.StartsWith(s.Start, StringComparison.Ordinal)).Name is string name)
            {
                yield return Settled(name, null, simple.Plan);
            }
        }

        (int Seed, Plan Plan)[] random =
        [
            .. Enumerable.Range(0, sizes.Seeds).Select(seed => (seed, Plan: Strategies.Random(problem, seed))).Where(r => r.Plan is not null).Select(r => (r.seed, r.Plan!)).OrderBy(r => r.Item2.Gain),
        ];
        foreach ((double share, string name) in random.Length == 0 ? [] : Quartiles)
        {
            (int seed, Plan plan) = random[Fit.RankOf(share, random.Length)];
            yield return Settled(name, seed, plan);
        }

        Chosen Settled(string strategy, int? seed, Plan plan) => new(strategy, 0, 0, seed, Strategies.Settled(problem, plan.Configurations));
    }

    private static ChoicePoint PointOf(Chosen chosen, Trial trial) => new(
        chosen.Strategy,
        chosen.Budget,
        chosen.BudgetMse,
        chosen.Seed,
        trial.Number,
        chosen.Plan.Formats.Sum(s => s.Count(f => f != Problems.Baseline)),
        chosen.Plan.Loss,
        chosen.Plan.Gain,
        trial.Loss?.LossMse ?? 0,
        trial.Loss?.RelativeLossError ?? 0,
        trial.Gain.Centre,
        trial.Gain.Low,
        trial.Gain.High);

    /// <summary>A plan as a strategy chose it at a budget.</summary>
    private sealed record Chosen(string Strategy, int Budget, double BudgetMse, int? Seed, Plan Plan);
}
