namespace MixedPrecision.Solving;

/// <summary>The plan of greatest gain within the loss budget, proven optimal up to the problem's tolerance.</summary>
public static class Solver
{
    /// <summary>
    /// Solves a problem. Of plans with equal gain it takes the one of least summed loss. Equal problems give equal plans.
    /// </summary>
    /// <param name="cancellation">Ends the search within a second.</param>
    /// <exception cref="OperationCanceledException">The search was ended.</exception>
    /// <exception cref="ArgumentException">
    /// The problem contradicts itself: a layer without choices, a loss below 0, rows of unequal length.
    /// </exception>
    public static Plan Solve(SolverProblem problem, CancellationToken cancellation = default) => new BudgetSeries(problem).Solve([problem.LossBudget], cancellation)[0];

    /// <summary>Gains sum to less than so many units: see <see cref="Scaling.GainUnit"/>.</summary>
    private const long AnyGain = 1L << 42;

    /// <summary>The plan under the linear diagonal, whatever the problem's own loss model.</summary>
    internal static Plan SolveDiagonal(ChoiceTable table, CancellationToken cancellation)
    {
        int[] least = table.LeastLoss();
        double leastLoss = table.DiagonalLoss(least);
        bool isLeast = table.Problem.Consequences.All(consequence => consequence.Loss == 0);
        if (leastLoss > table.Problem.LossBudget && (isLeast || table.Layers.Sum(layer => layer.Choices.Min(choice => choice.Loss)) > table.Problem.LossBudget))
            return None();

        IntegerProgram program = IntegerProgram.Build(table);
        LimitRow? size = Scaling.Size(table);
        if (size is { Limit: < 0 })
            return None();
        program = program with { Limits = [Scaling.Budget(table, table.Problem.LossBudget), .. size is null ? [] : new[] { size }] };
        CpSatAnswer answer = CpSat.Maximize(program, least, CpSat.MaximizeLimit, cancellation);
        if (answer.Plan is null && (leastLoss > table.Problem.LossBudget || !table.Fits(least)))
            return None();
        int[] plan = answer.Plan is null ? least : LeastLossOfEqualGain(table, program, answer.Plan, cancellation);
        return ToPlan(table, plan, table.DiagonalLoss(plan), answer.Proven, Bound(table, program, answer), tangents: 0);

        Plan None()
        {
            if (Scaling.Size(table) is not { } row)
                return Infeasible(table, least, leastLoss);
            (int[] small, bool isTooLarge) = LeastLossThatFits(table, IntegerProgram.Build(table), row, cancellation);
            return Infeasible(table, small, table.DiagonalLoss(small), isTooLarge);
        }
    }

    /// <summary>Of the plans that are small enough the one of least summed loss; where there is none the smallest of all.</summary>
    internal static (int[] Plan, bool IsTooLarge) LeastLossThatFits(ChoiceTable table, IntegerProgram program, LimitRow size, CancellationToken cancellation)
    {
        int[] hint = table.LeastLoss();
        double most = table.Layers.Sum(layer => layer.Choices.Max(choice => choice.Loss));
        if (size.Limit >= 0
            && CpSat.Minimize(program with { Limits = [size], Excluded = [] }, Scaling.Budget(table, most).Coefficients, -AnyGain, hint, cancellation).Plan is { } least)
            return (least, false);
        return (CpSat.Minimize(program with { Limits = [], Excluded = [] }, size.Coefficients, -AnyGain, hint, cancellation).Plan ?? hint, true);
    }

    /// <summary>Among the plans that gain as much as the given one, the one of least summed loss; the given one where gains count only up to a tolerance.</summary>
    internal static int[] LeastLossOfEqualGain(ChoiceTable table, IntegerProgram program, int[] plan, CancellationToken cancellation)
    {
        double loss = table.DiagonalLoss(plan);
        if (loss == 0 || program.Tolerance > 0)
            return plan;
        long[] cost = Scaling.Budget(table, loss).Coefficients;
        // Gains that are equal may differ by what rounding took from each layer.
        return CpSat.Minimize(program, cost, program.Gain(table.Taken(plan)) - table.Layers.Length, plan, cancellation).Plan ?? plan;
    }

    internal static Plan ToPlan(ChoiceTable table, int[] plan, double loss, bool proven, double bound, int tangents)
    {
        double gain = table.Gain(plan);
        SolverStatus status = proven ? SolverStatus.Optimal : SolverStatus.Feasible;
        return new Plan(table.Configurations(plan), loss, gain, status, Math.Max(bound, gain), Rounding(table), tangents);
    }

    /// <param name="isTooLarge">Whether no plan is small enough, whatever it loses: then the one given is the smallest.</param>
    internal static Plan Infeasible(ChoiceTable table, int[] plan, double loss, bool isTooLarge = false)
    {
        double gain = table.Gain(plan);
        (string Name, double Loss)[] layers = [.. table.Layers
            .Select(layer => (layer.Name, Loss: layer.Choices.Min(choice => choice.Loss)))
            .Where(layer => layer.Loss > 0)
            .OrderByDescending(layer => layer.Loss)];
        return new Plan(
            table.Configurations(plan), loss, gain, SolverStatus.Infeasible, gain, Rounding(table), 0, new Infeasibility(loss, layers) { IsTooLarge = isTooLarge });
    }

    /// <summary>The bound of the program in the unit of the objective, raised by what rounding took from the gains.</summary>
    internal static double Bound(ChoiceTable table, IntegerProgram program, CpSatAnswer answer)
    {
        // Without an answer: each sub-graph at its best.
        double units = answer.Bound < long.MaxValue
            ? answer.Bound
            : Enumerable.Range(0, table.Measured.Length).Sum(subgraph => GreatestGain(table, program, subgraph))
                + Enumerable.Range(table.FirstConsequence, table.Consequences.Length).Sum(layer => Math.Max(0, program.Gains[program.FirstChoice[layer]]));
        return (units + table.Layers.Length) * program.GainUnit;
    }

    private static long GreatestGain(ChoiceTable table, IntegerProgram program, int subgraph)
    {
        long additive = Enumerable.Range(table.FirstLayer[subgraph], table.FirstLayer[subgraph + 1] - table.FirstLayer[subgraph])
            .Sum(layer => program.Gains[program.FirstChoice[layer]..program.FirstChoice[layer + 1]].Max());
        return program.Corrections[subgraph]
            .Select(correction => correction.Gain + correction.Choices.Sum(choice => program.Gains[choice]))
            .Append(additive)
            .Max();
    }

    /// <summary>One unit per layer, of a budget and of gains that are at least 2^39 units.</summary>
    private static double Rounding(ChoiceTable table) => 2.0 * table.Layers.Length / Scaling.BudgetUnits;
}
