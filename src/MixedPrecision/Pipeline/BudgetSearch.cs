namespace MixedPrecision.Pipeline;

/// <summary>What came of one τ.</summary>
/// <param name="Plan">What tells plans apart.</param>
/// <param name="Tau">The relative loss error that is predicted for the plan, at most the τ asked for.</param>
/// <param name="Gain">What the plan gains.</param>
/// <param name="IsWithin">Whether all that is limited is within its limit, as measured on the emitted file; false before that.</param>
internal sealed record BudgetTrial(string Plan, double Tau, double Gain, bool IsWithin = false);

/// <summary>
/// Finds the τ for a budget that is stated in other words, or in several. What is measured grows with τ, but not strictly and with noise: so τ is widened or tightened by
/// steps until one plan is within the budget and one over it, and then bisected on a logarithmic scale, over plans that differ; of all plans that were
/// measured to be within the budget the one of greatest gain is taken.
/// </summary>
internal static class BudgetSearch
{
    private const double Step = 4;
    private const double Least = 1e-6;

    /// <summary>A model that is nearly always right has a loss near 0: its relative error may be large before accuracy suffers.</summary>
    private const double Most = 100;
    private const double Close = 1.1;

    /// <param name="start">The τ to begin with.</param>
    /// <param name="most">The greatest τ.</param>
    /// <param name="trials">At most so many plans are measured.</param>
    /// <param name="plan">The plan for a τ, not measured: its name, its own τ, its gain.</param>
    /// <param name="measure">Emits and measures the plan that was made last.</param>
    /// <returns>The best trial within the budget, and the τ that it was made for; null when there is none.</returns>
    public static (BudgetTrial Trial, double Tau)? Find(
        double start, double most, int trials, Func<double, BudgetTrial> plan, Func<BudgetTrial, BudgetTrial> measure)
    {
        var known = new Dictionary<string, BudgetTrial>();
        (BudgetTrial Trial, double Tau)? best = null;
        double? within = null, over = null;
        most = Math.Min(most, Most);
        double tau = Math.Min(start, most);
        while (true)
        {
            BudgetTrial proposed = plan(tau);
            if (!known.TryGetValue(proposed.Plan, out BudgetTrial? trial))
            {
                if (known.Count == trials)
                {
                    return best;
                }

                known.Add(proposed.Plan, trial = measure(proposed));
            }

            if (trial.IsWithin)
            {
                best = best is { } b && b.Trial.Gain >= trial.Gain ? best : (trial, tau);
                // A plan far from its τ is the freest there is.
                if (over is null && (tau >= most || proposed.Tau < tau / (Step * Step)))
                {
                    return best;
                }

                within = tau;
            }
            else
            {
                // The same plan comes for every τ from its own on, so that nothing between is worth a trial.
                over = Math.Min(tau, proposed.Tau > 0 ? proposed.Tau : tau);
                // Rules, or the size, leave no plan of less.
                if (within is null && proposed.Tau > tau)
                {
                    return best;
                }
            }

            if (within is double low && over is double high)
            {
                if (high <= low * Close)
                {
                    return best;
                }

                tau = Math.Sqrt(low * high);
            }
            else
            {
                tau = over is double least ? least / Step : Math.Min(most, tau * Step);
                if (tau < Least)
                {
                    return best;
                }
            }
        }
    }
}
