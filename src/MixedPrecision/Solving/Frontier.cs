namespace MixedPrecision.Solving;

/// <summary>All plans of greatest gain, from the one of least loss to the one that gains most: what each budget buys.</summary>
public static class Frontier
{
    /// <summary>Budgets that lie nearer than this share are one.</summary>
    private const double Nearest = 0.02;

    /// <summary>Of what everything loses, the budget below which a loss is none.</summary>
    private const double Negligible = 1e-9;

    /// <summary>
    /// The plans in order of loss, each gaining more than the one before it. Each is the optimum of the budget that is its own loss. Between two neighbours lies none that gains a step more than the lower one, unless their losses differ by less than a fiftieth;
    /// a problem whose frontier is longer is searched where gains differ most.
    /// </summary>
    /// <param name="problem">What there is to choose; its budget does not matter.</param>
    /// <param name="step">A difference of the gain that matters, in the unit of the objective, above 0.</param>
    /// <param name="most">At most so many programs are solved.</param>
    /// <param name="solve">The plan of greatest gain of a program.</param>
    public static IReadOnlyList<Plan> Of(SolverProblem problem, double step, int most, Func<SolverProblem, Plan> solve)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(step);
        Plan lowest = At(0);
        if (lowest.Infeasibility is { } forced)
        {
            // Rules force some loss.
            lowest = At(forced.MinimalLoss * (1 + Nearest));
        }

        double everything = LargestLoss(problem) * (1 + Nearest);
        Plan highest = At(everything);
        double floor = Negligible * everything;
        List<Plan> found = [lowest];
        if (highest.Gain > lowest.Gain)
        {
            found.Add(highest);
        }

        // The widest step is looked into first. A budget up to which the lower plan is known to be the best says where to look on.
        var open = new PriorityQueue<(Plan Low, double Upto, Plan High), double>();
        Add(lowest, lowest.Loss, highest);
        for (int solved = 2; solved < most && open.TryDequeue(out var gap, out _); solved++)
        {
            (Plan low, double upto, Plan high) = gap;
            double budget = Math.Sqrt(Math.Max(upto, floor) * high.Loss);
            Plan middle = At(budget);
            if (middle.Gain > low.Gain && middle.Gain < high.Gain)
            {
                found.Add(middle);
                Add(low, upto, middle);
                Add(middle, budget, high);
            }
            else if (middle.Gain <= low.Gain)
            {
                Add(low, budget, high);
            }
            else
            {
                // As much gain for less loss than the upper one has.
                found.Remove(high);
                found.Add(middle);
                Add(low, upto, middle);
            }
        }

        return [.. found.OrderBy(p => p.Loss).ThenBy(p => p.Gain).Aggregate(new List<Plan>(), (kept, plan) =>
        {
            if (kept.Count == 0 || plan.Gain > kept[^1].Gain)
            {
                kept.Add(plan);
            }

            return kept;
        })];

        Plan At(double budget) => solve(problem with { LossBudget = budget });

        void Add(Plan low, double upto, Plan high)
        {
            if (high.Gain - low.Gain >= step && high.Loss > Math.Max(upto, floor) * (1 + Nearest))
            {
                open.Enqueue((low, upto, high), low.Gain - high.Gain);
            }
        }
    }

    /// <summary>A loss MSE that no plan passes: as if all changes of the loss had one sign in every sample.</summary>
    private static double LargestLoss(SolverProblem problem)
    {
        double[][] choices = [.. problem.Subgraphs.SelectMany(s => s.Layers).Select(l => l.Choices.Select(c => c.Loss).ToArray())];
        double diagonal = choices.Sum(c => c.Max()) + problem.Consequences.Sum(c => c.Loss);
        if (problem.Loss is not LossModel.Quadratic quadratic)
        {
            return diagonal;
        }

        double roots = choices.Sum(c => Math.Sqrt(c.Max())) + problem.Consequences.Sum(c => Math.Sqrt(c.Loss));
        double rises = quadratic.Rises.Sum() + problem.Consequences.Sum(c => c.Rise);
        return (roots * roots) + (rises * rises);
    }
}
