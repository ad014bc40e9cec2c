namespace MixedPrecision.Solving;

/// <summary>
/// One problem at many budgets. What does not depend on the budget is prepared once; and since the loss is the same function for all of them, tangents at plans of one budget cut at others too, so that what was
/// solved first makes the rest quick.
/// </summary>
public sealed class BudgetSeries
{
    /// <summary>Plans of neighbouring budgets whose tangents a search begins with, on either side: more rows leave fewer choices out beforehand.</summary>
    private const int MostNear = 1;

    private readonly ChoiceTable table;
    private readonly IntegerProgram program;
    private readonly QuadraticLoss? loss;
    private readonly List<(int[] Choices, double Loss)> solved = [];

    /// <param name="problem">Its own budget does not matter.</param>
    /// <exception cref="ArgumentException">As <see cref="Solver.Solve"/>.</exception>
    public BudgetSeries(SolverProblem problem)
    {
        table = new ChoiceTable(problem);
        program = IntegerProgram.Build(table);
        loss = problem.Loss is LossModel.Quadratic quadratic ? QuadraticLoss.Of(quadratic, table) : null;
    }

    /// <summary>What all budgets cost so far, in CP-SAT's deterministic time, whose unit is about a second.</summary>
    public double Effort { get; private set; }

    /// <summary>The plan of each budget, as <see cref="Solver.Solve"/> finds it; several budgets are solved beside each other. Equal series give equal plans.</summary>
    /// <param name="budgets">Greatest loss MSE of each.</param>
    /// <param name="cancellation">Ends the search within a second.</param>
    public IReadOnlyList<Plan> Solve(IReadOnlyList<double> budgets, CancellationToken cancellation)
    {
        ChoiceTable[] tables = [.. budgets.Select(table.At)];
        if (loss is null)
        {
            return [.. tables.Select(own => Solver.SolveDiagonal(own, cancellation))];
        }

        Plan[] plans = new Plan[budgets.Count];
        double[] efforts = new double[budgets.Count];
        QuadraticLoss[] losses = [.. budgets.Select(loss.At)];
        int[][][] near = [.. budgets.Select(Near)];
        if (budgets.Count == 1)
        {
            One(0);
        }
        else
        {
            // With the token, a cancellation comes out as one.
            Parallel.For(0, budgets.Count, new ParallelOptions { CancellationToken = cancellation }, One);
        }

        Effort += efforts.Sum();
        solved.AddRange(plans.Select(plan => (table.PlanOf(plan.Configurations), plan.Loss)));
        return plans;

        void One(int i)
        {
            var method = new TangentMethod(tables[i], losses[i], program, near[i], cancellation);
            plans[i] = method.Solve();
            efforts[i] = method.Effort;
        }
    }

    /// <summary>The plans whose losses are nearest to a budget, from below and above, the nearest from below first.</summary>
    private int[][] Near(double budget) =>
    [
        .. solved.Where(s => s.Loss <= budget).OrderByDescending(s => s.Loss).Take(MostNear).Select(s => s.Choices),
        .. solved.Where(s => s.Loss > budget).OrderBy(s => s.Loss).Take(MostNear).Select(s => s.Choices),
    ];
}
