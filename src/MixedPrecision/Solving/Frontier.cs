namespace MixedPrecision.Solving;

/// <summary>All plans of greatest gain, from the one of least loss to the one that gains most: what each budget buys.</summary>
public static class Frontier
{
    /// <summary>Budgets that lie nearer than this share are one.</summary>
    private const double Nearest = 0.02;

    /// <summary>Of what everything loses, the budget below which a loss is none.</summary>
    private const double Negligible = 1e-9;

    /// <summary>Budgets that are solved beside each other: a number that does not depend on the machine, so that frontiers do not either.</summary>
    private const int Together = 4;

    /// <summary>
    /// The plans in order of loss, each gaining more than the one before it; none where none is small enough. Each is the optimum of the budget that is its own loss. Between two neighbours lies none that gains a step more than the lower one, unless their losses differ by less than a fiftieth;
    /// a problem whose frontier is longer is searched where gains differ most.
    /// </summary>
    /// <param name="problem">What there is to choose; its budget does not matter.</param>
    /// <param name="step">A difference of the gain that matters, in the unit of the objective, above 0.</param>
    /// <param name="most">At most so many programs are solved.</param>
    /// <param name="solve">The plans of greatest gain of the problem within some budgets.</param>
    /// <param name="isOver">Asked before further budgets are solved; then the search ends where it is.</param>
    public static IReadOnlyList<Plan> Of(SolverProblem problem, double step, int most, Func<IReadOnlyList<double>, IReadOnlyList<Plan>> solve, Func<bool>? isOver = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(step);
        double everything = LargestLoss(problem) * (1 + Nearest);
        double floor = Negligible * everything;
        Plan lowest = solve([0])[0];
        if (lowest.Infeasibility is { } forced)
        {
            // Rules, or a limit of the size, force some loss.
            lowest = solve([forced.MinimalLoss * (1 + Nearest)])[0];
            if (lowest.Infeasibility is not null)
            {
                return [];
            }
        }

        Plan highest = solve([everything])[0];
        List<Plan> found = Rising([lowest, highest]);

        // The widest step is looked into first. A budget up to which the lower plan is known to be the best says where to look on.
        var open = new PriorityQueue<(Plan Low, double Upto, Plan High), double>();
        foreach ((Plan low, Plan high) in found.Zip(found.Skip(1)).ToArray())
        {
            Add(low, low.Loss, high);
        }

        for (int programs = 2; programs < most && open.Count > 0 && isOver?.Invoke() != true;)
        {
            var gaps = new List<(Plan Low, double Upto, Plan High, double Budget)>();
            for (; gaps.Count < Together && programs < most && open.TryDequeue(out var gap, out _); programs++)
            {
                gaps.Add((gap.Low, gap.Upto, gap.High, Math.Sqrt(Math.Max(gap.Upto, floor) * gap.High.Loss)));
            }

            foreach (((Plan low, double upto, Plan high, double budget), Plan middle) in gaps.Zip(solve([.. gaps.Select(g => g.Budget)])))
            {
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
                    found.Add(middle);
                    Add(low, upto, middle);
                }
            }
        }

        return Rising(found);

        void Add(Plan low, double upto, Plan high)
        {
            if (high.Gain - low.Gain >= step && high.Loss > Math.Max(upto, floor) * (1 + Nearest))
            {
                open.Enqueue((low, upto, high), low.Gain - high.Gain);
            }
        }
    }

    /// <summary>A frontier with plans that were made for budgets: they are points of it, where none of it gains as much for as little.</summary>
    public static IReadOnlyList<Plan> With(IReadOnlyList<Plan> frontier, IEnumerable<Plan> made) => Rising(frontier.Concat(made.Where(p => p.Infeasibility is null)));

    /// <summary>The plans in order of loss, without those that gain no more than one of less loss.</summary>
    private static List<Plan> Rising(IEnumerable<Plan> plans) => plans.OrderBy(p => p.Loss).ThenByDescending(p => p.Gain).Aggregate(new List<Plan>(), (kept, plan) =>
    {
        if (kept.Count == 0 || plan.Gain > kept[^1].Gain)
        {
            kept.Add(plan);
        }

        return kept;
    });

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
