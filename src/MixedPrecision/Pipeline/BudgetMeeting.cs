using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>A plan that was made for some τ, and what its emitted file was measured to be.</summary>
/// <param name="Tau">The τ that was solved for.</param>
/// <param name="Plan">The plan.</param>
/// <param name="Loss">Change of the loss on samples that calibration did not see.</param>
/// <param name="Measured">What the budget's first limit is about, as measured.</param>
internal sealed record Attempt(double Tau, Plan Plan, LossChange Loss, double Measured);

/// <summary>How a budget was met.</summary>
/// <param name="Met">The attempt whose plan is within the budget, or null: none is.</param>
/// <param name="Attempts">All, in order.</param>
/// <param name="Gains">The gains that they stand on.</param>
internal sealed record Meeting(Attempt? Met, IReadOnlyList<Attempt> Attempts, Gains Gains);

/// <summary>
/// Finds the plan whose emitted file, measured on samples that calibration did not see, is within the budget. A budget on the loss error alone is the τ that plans are made for, and a plan
/// that measures more is made anew with less; for any other budget, and for several limits together, the τ that leads to it is searched. The size is part of the program; a file that comes out larger is planned anew with less.
/// </summary>
internal static class BudgetMeeting
{
    /// <summary>At most so many plans are emitted and measured.</summary>
    public const int MostAttempts = 8;

    /// <summary>How much below the budget a tightened program aims, as a factor of the loss MSE.</summary>
    private const double Margin = 0.85;

    /// <summary>τ that a search begins with where nothing tells beforehand how the loss and what is limited go together: accuracy and answers.</summary>
    private const double Start = 0.01;

    /// <exception cref="MixedPrecisionException">MPB6001: rules of the policy are predicted to force more loss than the budget on the loss error allows. MPB6003: no plan is small enough.</exception>
    public static Meeting Meet(PlanningInput input, Policy policy, Gains gains, PlanningSteps steps) =>
        policy.Budget.Limits is [{ Kind: BudgetKind.LossError }] ? Tighten(input, policy, gains, steps) : Search(input, policy, gains, steps);

    /// <summary>τ of the first plan: as stated; for an increase of the loss the same share, since it is at most as large as the loss's error; of several the least.</summary>
    public static double FirstTau(BudgetPolicy budget) =>
        budget.Limits.Where(limit => limit.Kind is BudgetKind.LossError or BudgetKind.LossIncrease && limit.Value > 0).Select(limit => limit.Value).DefaultIfEmpty(Start).Min();

    /// <exception cref="MixedPrecisionException">MPB6001: rules of the policy are predicted to force more loss than the plan's budget. MPB6003: no plan within it is small enough.</exception>
    public static void RequireFeasible(Plan plan, PlanningInput input, Gains gains, double tau, Policy policy, Func<SolverProblem, Plan> solve)
    {
        if (plan.Infeasibility is not { } least)
        {
            return;
        }

        throw SizeShortfall.Of(input, gains, input.LossBudget(tau), plan, solve) is { } large
            ? Errors.SizeInfeasible(policy.PlaceOfSize, policy.Budget.Size!.ToString(), large.Most, tau, large.Smallest, large.TauAtSmallest, large.LeastTau)
            : Errors.BudgetInfeasible(policy.File, tau, input.Tau(least.MinimalLoss), [.. least.Layers.Select(l => (l.Layer, input.Tau(l.Loss)))]);
    }

    private static Meeting Tighten(PlanningInput input, Policy policy, Gains gains, PlanningSteps steps)
    {
        double budget = policy.Budget.Limits[0].Value, lossBudget = input.LossBudget(budget);
        var attempts = new List<Attempt>();
        while (attempts.Count < MostAttempts)
        {
            (Plan plan, gains, input) = Small(input, gains, (i, g) => Planner.Plan(i, g, lossBudget, steps), steps);
            if (attempts.Count == 0)
            {
                RequireFeasible(plan, input, gains, budget, policy, steps.Solve);
            }
            else if (plan.Infeasibility is not null)
            {
                break;
            }

            LossChange loss = steps.Evaluate(plan);
            var attempt = new Attempt(input.Tau(lossBudget), plan, loss, loss.RelativeLossError);
            attempts.Add(attempt);
            if (attempt.Measured <= budget)
            {
                return new Meeting(attempt, attempts, gains);
            }

            steps.Say($"relative loss error {ReportText.Percent(attempt.Measured)} is over the budget of {ReportText.Percent(budget)}: solving again with less");
            // A file that is no number is as wrong as can be: the next plan has to be another one.
            double over = double.IsFinite(attempt.Measured) ? budget / attempt.Measured : 0;
            lossBudget = Math.Min(lossBudget * over * over * Margin, plan.Loss * Margin);
            if (plan.Loss == 0)
            {
                break;
            }
        }

        return new Meeting(null, attempts, gains);
    }

    private static Meeting Search(PlanningInput input, Policy policy, Gains gains, PlanningSteps steps)
    {
        BudgetPolicy budget = policy.Budget;
        double most = budget.Of(BudgetKind.LossError) ?? double.PositiveInfinity;
        if (double.IsFinite(most))
        {
            RequireFeasible(steps.Solve(input.Problem(gains, input.LossBudget(most))), input, gains, most, policy, steps.Solve);
        }

        var attempts = new Dictionary<string, Attempt>();
        var plans = new Dictionary<string, (double Tau, Plan Plan)>();
        (BudgetTrial Trial, double Tau)? found = BudgetSearch.Find(FirstTau(budget), most, MostAttempts, Propose, Measure);
        Attempt? met = found is { } f ? attempts[f.Trial.Plan] with { Tau = f.Tau } : null;
        if (met is not null)
        {
            steps.Say($"{budget} is met with τ = {ReportText.Percent(met.Tau)}: {Limits.Text(budget, met.Loss)} was measured");
        }

        return new Meeting(met, [.. attempts.Values], gains);

        BudgetTrial Propose(double tau)
        {
            (Plan plan, gains, input) = Small(input, gains, (i, g) => Planner.PlanOrLeast(i, g, i.LossBudget(tau), steps), steps);
            RequireFeasible(plan, input, gains, tau, policy, steps.Solve);
            string key = Problems.KeyOf(plan.Configurations);
            plans.TryAdd(key, (tau, plan));
            return new BudgetTrial(key, input.Tau(plan.Loss), plan.Gain);
        }

        BudgetTrial Measure(BudgetTrial proposed)
        {
            (double tau, Plan plan) = plans[proposed.Plan];
            LossChange loss = steps.Evaluate(plan);
            attempts.Add(proposed.Plan, new Attempt(tau, plan, loss, Limits.Measured(budget, loss)));
            steps.Say($"a plan of predicted τ = {ReportText.Percent(proposed.Tau)} measures {Limits.Text(budget, loss)} ({budget})");
            return proposed with { IsWithin = Limits.AreWithin(budget, loss) };
        }
    }

    /// <summary>The plan whose file is small enough, as it comes out: what a file has beyond its prediction is counted, and planned again. Infeasible where no plan is left.</summary>
    private static (Plan Plan, Gains Gains, PlanningInput Input) Small(
        PlanningInput input, Gains gains, Func<PlanningInput, Gains, (Plan Plan, Gains Gains)> planned, PlanningSteps steps)
    {
        while (true)
        {
            (Plan plan, gains) = planned(input, gains);
            if (input.Size is not { } size || plan.Infeasibility is not null)
            {
                return (plan, gains, input);
            }

            long bytes = steps.Emit(plan);
            if (bytes <= size.Most)
            {
                return (plan, gains, input);
            }

            // Each time at least this plan is predicted to be too large.
            input = input with { Size = size with { Overhead = size.Overhead + bytes - size.Predicted(input, plan) } };
            steps.Say($"the file has {ReportText.Bytes(bytes)} of {ReportText.Bytes(size.Most)} allowed: solving again with less");
        }
    }
}
