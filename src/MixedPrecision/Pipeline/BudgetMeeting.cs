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
/// <param name="Measured">What the budget is about, as measured.</param>
internal sealed record Attempt(double Tau, Plan Plan, LossChange Loss, double Measured);

/// <summary>How a budget was met.</summary>
/// <param name="Met">The attempt whose plan is within the budget, or null: none is.</param>
/// <param name="Attempts">All, in order.</param>
/// <param name="Gains">The gains that they stand on.</param>
internal sealed record Meeting(Attempt? Met, IReadOnlyList<Attempt> Attempts, Gains Gains);

/// <summary>
/// Finds the plan whose emitted file, measured on samples that calibration did not see, is within the budget. A budget on the loss error is the τ that plans are made for, and a plan
/// that measures more is made anew with less; for any other budget the τ that leads to it is searched.
/// </summary>
internal static class BudgetMeeting
{
    /// <summary>At most so many plans are emitted and measured.</summary>
    public const int MostAttempts = 8;

    /// <summary>How much below the budget a tightened program aims, as a factor of the loss MSE.</summary>
    private const double Margin = 0.85;

    /// <summary>τ that a search for a drop of accuracy begins with: nothing tells beforehand how the loss and accuracy go together.</summary>
    private const double StartOfAccuracy = 0.01;

    /// <exception cref="MixedPrecisionException">MPB6001: rules of the policy are predicted to force more loss than the budget on the loss error allows.</exception>
    public static Meeting Meet(PlanningInput input, Policy policy, Gains gains, PlanningSteps steps) =>
        policy.Budget.Kind == BudgetKind.LossError ? Tighten(input, policy, gains, steps) : Search(input, policy.Budget, gains, steps);

    /// <summary>τ of the first plan: as stated; for an increase of the loss the same share, since it is at most as large as the loss's error.</summary>
    public static double FirstTau(BudgetPolicy budget) => budget.Kind == BudgetKind.AccuracyDrop ? StartOfAccuracy : budget.Value;

    /// <exception cref="MixedPrecisionException">MPB6001: rules of the policy are predicted to force more loss than the plan's budget.</exception>
    public static void RequireFeasible(Plan plan, PlanningInput input, Policy policy)
    {
        if (plan.Infeasibility is { } least)
        {
            throw Errors.BudgetInfeasible(
                policy.File, FirstTau(policy.Budget), input.Tau(least.MinimalLoss), [.. least.Layers.Select(l => (l.Layer, input.Tau(l.Loss)))]);
        }
    }

    private static Meeting Tighten(PlanningInput input, Policy policy, Gains gains, PlanningSteps steps)
    {
        double budget = policy.Budget.Value, lossBudget = input.LossBudget(budget);
        var attempts = new List<Attempt>();
        while (attempts.Count < MostAttempts)
        {
            (Plan plan, gains) = Planner.Plan(input, gains, lossBudget, steps);
            if (attempts.Count == 0)
            {
                RequireFeasible(plan, input, policy);
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

    private static Meeting Search(PlanningInput input, BudgetPolicy budget, Gains gains, PlanningSteps steps)
    {
        var attempts = new Dictionary<string, Attempt>();
        var plans = new Dictionary<string, (double Tau, Plan Plan)>();
        (BudgetTrial Trial, double Tau)? found = BudgetSearch.Find(
            FirstTau(budget), budget.Value, MostAttempts, Propose, Measure);
        if (found is { } best)
        {
            steps.Say($"{budget} is met with τ = {ReportText.Percent(best.Tau)}: {ReportText.Percent(best.Trial.Measured)} was measured");
        }

        Attempt? met = found is { } f ? attempts[f.Trial.Plan] with { Tau = f.Tau } : null;
        return new Meeting(met, [.. attempts.Values], gains);

        BudgetTrial Propose(double tau)
        {
            (Plan plan, gains) = Planner.PlanOrLeast(input, gains, input.LossBudget(tau), steps);
            string key = string.Join("; ", plan.Configurations);
            plans.TryAdd(key, (tau, plan));
            return new BudgetTrial(key, input.Tau(plan.Loss), plan.Gain, double.NaN);
        }

        BudgetTrial Measure(BudgetTrial proposed)
        {
            (double tau, Plan plan) = plans[proposed.Plan];
            LossChange loss = steps.Evaluate(plan);
            var attempt = new Attempt(tau, plan, loss, BudgetSearch.Measured(budget, loss));
            attempts.Add(proposed.Plan, attempt);
            steps.Say($"a plan of predicted τ = {ReportText.Percent(proposed.Tau)} measures {ReportText.Percent(attempt.Measured)} ({budget})");
            return proposed with { Measured = attempt.Measured };
        }
    }
}
