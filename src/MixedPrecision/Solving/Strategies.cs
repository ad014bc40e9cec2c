using MixedPrecision.Structures;

namespace MixedPrecision.Solving;

/// <summary>
/// Plans of simpler strategies, to compare the program's plan with. Each is within the budget under the problem's loss model, and its gain
/// is counted as the problem counts it, measured configurations included.
/// </summary>
public static class Strategies
{
    /// <summary>
    /// Sub-graphs in the model's order, each layer in its format of greatest gain, up to the last one for which the plan is still within
    /// the budget; all others in their format of least loss. Null when that alone passes the budget, or the plan is too large.
    /// </summary>
    public static Plan? Prefix(SolverProblem problem) => Walk(problem, [.. Enumerable.Range(0, problem.Subgraphs.Count)]);

    /// <summary>As <see cref="Prefix"/>, in a random order.</summary>
    /// <param name="seed">Seed of the order; equal seeds give equal plans.</param>
    public static Plan? Random(SolverProblem problem, int seed)
    {
        int[] order = [.. Enumerable.Range(0, problem.Subgraphs.Count)];
        new Random(seed).Shuffle(order);
        return Walk(problem, order);
    }

    /// <summary>
    /// The program without sub-graphs: each layer chosen by its own gain, as if nothing were measured together. Null when infeasible.
    /// </summary>
    public static Plan? PerLayer(SolverProblem problem, CancellationToken cancellation = default)
    {
        SolverProblem additive = problem with { Subgraphs = [.. problem.Subgraphs.Select(subgraph => subgraph with { Measured = [], Structures = [] })] };
        Plan plan = Solver.Solve(additive, cancellation);
        if (plan.Status == SolverStatus.Infeasible)
            return null;
        var evaluator = new Evaluator(problem);
        return evaluator.ToPlan(evaluator.Table.PlanOf(plan.Configurations));
    }

    /// <summary>
    /// The best plan within the budget that uses one format for all layers which offer it, and for the others their format of least loss, in the model as exported.
    /// Null when there is none.
    /// </summary>
    public static Plan? BestUniform(SolverProblem problem)
    {
        var evaluator = new Evaluator(problem);
        SolverProblem exported = problem with { Subgraphs = [.. problem.Subgraphs.Select(subgraph => subgraph with { Structures = [] })] };
        return exported.Subgraphs.SelectMany(s => s.Layers).SelectMany(l => l.Choices).Select(choice => choice.Format).Distinct()
            .Select(format => exported.Subgraphs.Select(s => Configuration.Exported(
                [.. s.Layers.Select(l => (l.Choices.FirstOrDefault(c => c.Format == format) ?? l.Choices.MinBy(c => (c.Loss, -c.Gain))!).Format)])).ToArray())
            .Select(evaluator.Table.PlanOf)
            .Select(evaluator.Table.Share)
            .Where(evaluator.IsWithin)
            .Select(evaluator.ToPlan)
            .MaxBy(plan => (plan.Gain, -plan.Loss));
    }

    /// <summary>What the problem says of given configurations, one for each sub-graph, whether or not they are within the budget.</summary>
    public static Plan Of(SolverProblem problem, IReadOnlyList<Configuration> configurations)
    {
        var evaluator = new Evaluator(problem);
        return evaluator.ToPlan(evaluator.Table.PlanOf(configurations));
    }

    /// <summary>The same with, in each sub-graph, the structure of greatest gain that its formats allow.</summary>
    public static Plan Settled(SolverProblem problem, IReadOnlyList<Configuration> configurations)
    {
        var evaluator = new Evaluator(problem);
        return evaluator.ToPlan(evaluator.Table.Consistent(evaluator.Table.PlanOf(configurations)));
    }

    /// <summary>The loss MSE that is predicted of given configurations, as far as the choice of samples leaves it in doubt: so many standard errors below and above. Both are the prediction where nothing is told by sample.</summary>
    /// <param name="squareLosses">g² of each sample.</param>
    public static (double Low, double High) Interval(SolverProblem problem, IReadOnlyList<Configuration> configurations, double[] squareLosses, double deviations)
    {
        var table = new ChoiceTable(problem);
        int[] plan = table.PlanOf(configurations);
        return problem.Loss is LossModel.Quadratic model
            ? QuadraticLoss.Of(model, table).Interval(table.Taken(plan), squareLosses, deviations)
            : (table.DiagonalLoss(plan), table.DiagonalLoss(plan));
    }

    private static Plan? Walk(SolverProblem problem, int[] order)
    {
        var evaluator = new Evaluator(problem);
        ChoiceTable table = evaluator.Table;
        int[] greatest = table.GreatestGain();
        int[] plan = table.LeastLoss();
        if (!evaluator.IsWithinLoss(plan))
            return null;
        foreach (int subgraph in order)
        {
            (int first, int end) = (table.FirstLayer[subgraph], table.FirstLayer[subgraph + 1]);
            int[] next = table.Consistent([.. plan[..first], .. greatest[first..end], .. plan[end..]]);
            if (!evaluator.IsWithinLoss(next))
                break;
            plan = next;
        }

        return table.Fits(plan) ? evaluator.ToPlan(plan) : null;
    }

    private sealed class Evaluator
    {
        private readonly QuadraticLoss? quadratic;

        public Evaluator(SolverProblem problem)
        {
            Table = new ChoiceTable(problem);
            quadratic = problem.Loss is LossModel.Quadratic model ? QuadraticLoss.Of(model, Table) : null;
        }

        public ChoiceTable Table { get; }

        public bool IsWithin(int[] plan) => Table.Fits(plan) && IsWithinLoss(plan);

        public bool IsWithinLoss(int[] plan) => (quadratic?.Counted(Table.Taken(plan)) ?? Table.DiagonalLoss(plan)) <= Table.Problem.LossBudget;

        public Plan ToPlan(int[] plan)
        {
            double gain = Table.Gain(plan);
            return new Plan(Table.Configurations(plan), Loss(plan), gain, SolverStatus.Feasible, gain, RoundingRelative: 0, Tangents: 0);
        }

        private double Loss(int[] plan) => quadratic?.Evaluate(Table.Taken(plan)) ?? Table.DiagonalLoss(plan);
    }
}
