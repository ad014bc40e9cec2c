namespace MixedPrecision.Solving;

/// <summary>
/// The optimum under P(x) ≤ budget, P convex: tangents of P, each satisfied by every plan within the budget, stand in for P, and more are
/// added until the optimum under them satisfies P itself. That optimum is the true one. Plans above the budget are brought within it
/// one exchange at a time, and the best of them stands in when the rounds end before, or where it gains as much up to the problem's tolerance.
/// </summary>
/// <param name="program">The program without limits.</param>
/// <param name="near">Plans of other budgets, nearest first, at which P is taken by its tangents too; where there are none, the search starts from the optimum of the diagonal.</param>
internal sealed class TangentMethod(ChoiceTable table, QuadraticLoss loss, IntegerProgram program, IReadOnlyList<int[]> near, CancellationToken cancellation)
{
    /// <summary>
    /// Where errors are hardly correlated and hardly shrunk, tangents close in slowly: then the best plan found is given with its bound.
    /// </summary>
    private const int GreatestRounds = 25;

    private readonly double budget = table.Problem.LossBudget;
    private readonly int[] layerOfChoice =
        [.. table.Layers.SelectMany((layer, index) => Enumerable.Repeat(index, layer.Choices.Count))];
    private readonly IntegerProgram program = program with { IsInSeries = near.Count > 0 };
    private readonly LimitRow? size = Scaling.Size(table);
    private readonly List<LimitRow> limits = [];
    private readonly List<int[]> excluded = [];
    private int tangents;
    private int[]? best;
    private bool contradictory;

    /// <summary>What it cost, in CP-SAT's deterministic time, but for proofs that there is none of less loss.</summary>
    public double Effort { get; private set; }

    public Plan Solve()
    {
        int[] start = near.Count > 0 ? near[0] : Start();
        if (size is not null)
            limits.Add(size);
        contradictory = size is { Limit: < 0 };
        foreach (int[] plan in near.Prepend(start).Distinct())
        {
            Consider(plan);
            AddTangents(plan);
        }

        CpSatAnswer answer = new(null, false, long.MaxValue, 0);
        double left = near.Count > 0 ? CpSat.NextLimit : CpSat.MaximizeLimit;
        for (int round = 0; round < GreatestRounds && left > 0; round++)
        {
            answer = contradictory ? new CpSatAnswer(null, true, 0, 0) : CpSat.Maximize(program with { Limits = limits, Excluded = excluded }, best ?? start, left, cancellation);
            left -= answer.Effort;
            Effort += answer.Effort;
            if (answer.Plan is null && answer.Proven && best is null)
                return Infeasible(start);
            if (answer.Plan is null || !answer.Proven)
                break;
            if (IsWithin(answer.Plan))
                return Finish(answer);
            Consider(answer.Plan);
            if (best is not null && program.Gain(table.Taken(best)) >= answer.Bound - program.Tolerance)
                return Finish(answer with { Plan = best });
            AddTangents(answer.Plan);
        }

        double bound = Solver.Bound(table, program, answer);
        return best is null ? Infeasible(start) : Solver.ToPlan(table, best, Predicted(best), proven: false, bound, tangents);
    }

    /// <summary>The optimum, or of those that gain as much the one of least summed loss, as far as it satisfies P.</summary>
    private Plan Finish(CpSatAnswer answer)
    {
        int[] plan = answer.Plan!;
        for (int round = 0; round < GreatestRounds; round++)
        {
            int[] lower = Solver.LeastLossOfEqualGain(table, program with { Limits = limits, Excluded = excluded }, plan, cancellation);
            if (IsWithin(lower))
            {
                plan = lower;
                break;
            }

            AddTangents(lower);
        }

        return Solver.ToPlan(table, plan, Predicted(plan), proven: true, Solver.Bound(table, program, answer), tangents);
    }

    private int[] Start()
    {
        int[] least = Descend(table.LeastLoss());
        Consider(least);
        if (table.DiagonalLoss(table.LeastLoss()) > budget)
            return least;
        Plan diagonal = Solver.SolveDiagonal(table, cancellation);
        return table.PlanOf(diagonal.Configurations);
    }

    private Plan Infeasible(int[] start)
    {
        if (size is not null)
        {
            (int[] small, bool isTooLarge) = Solver.LeastLossThatFits(table, program, size, cancellation);
            small = isTooLarge ? small : Descend(small);
            return Solver.Infeasible(table, small, Evaluate(small), isTooLarge);
        }

        int[] least = Descend(start);
        int[] other = Descend(table.LeastLoss());
        int[] plan = Evaluate(least) < Evaluate(other) ? least : other;
        return Solver.Infeasible(table, plan, Evaluate(plan));
    }

    private double Predicted(int[] plan) => loss.Evaluate(table.Taken(plan));

    private double Evaluate(int[] plan) => loss.Counted(table.Taken(plan));

    private bool IsWithin(int[] plan) => Evaluate(plan) <= budget;

    /// <summary>Keeps the plan, or what is left of it when it is brought within the budget, if it is the best so far.</summary>
    private void Consider(int[] plan)
    {
        int[] repaired = IsWithin(plan) ? plan : Repair(plan);
        if (IsWithin(repaired) && table.Fits(repaired) && (best is null || table.Gain(repaired) > table.Gain(best)))
            best = repaired;
    }

    /// <summary>
    /// Exchanges one choice at a time, that which takes most off P for the gain it costs, until P is within the budget. P falls at each
    /// step as evaluated anew: an exchange of equals may seem to lower it by rounding, for ever. A plan that is small enough stays so.
    /// </summary>
    private int[] Repair(int[] plan)
    {
        int[] current = [.. plan];
        double now = Evaluate(current);
        while (now > budget)
        {
            double[] exchanges = loss.EvaluateExchanges([.. table.Taken(current)], layerOfChoice, table);
            int chosen = Enumerable.Range(0, table.FirstChoice[table.FirstConsequence]).Where(choice => exchanges[choice] < now && !IsTaken(current, choice) && MayTake(current, choice))
                .DefaultIfEmpty(-1)
                .MaxBy(choice => choice < 0 ? 0 : (now - Math.Max(exchanges[choice], budget)) / Cost(current, choice));
            if (chosen < 0)
                return current;
            int[] next = Exchange(current, chosen);
            double after = Evaluate(next);
            if (!(after < now))
                return current;
            (current, now) = (next, after);
        }

        return current;
    }

    /// <summary>Whether a choice is one of a layer, is open to it, and does not make a plan too large that is small enough.</summary>
    private bool MayTake(int[] plan, int choice) => !table.IsStructure(layerOfChoice[choice]) && table.Shared.IsPossible(choice)
        && (size is null || !table.Fits(plan) || table.Fits(Exchange(plan, choice)));

    private bool IsTaken(int[] plan, int choice) => table.FirstChoice[layerOfChoice[choice]] + plan[layerOfChoice[choice]] == choice;

    private int[] Exchange(int[] plan, int choice) =>
        table.Exchange(plan, layerOfChoice[choice], choice - table.FirstChoice[layerOfChoice[choice]]);

    /// <summary>Gain lost by an exchange, additively; a small number when there is none to lose.</summary>
    private double Cost(int[] plan, int choice)
    {
        double lost = table.Exchanges([.. table.Taken(plan)], layerOfChoice[choice], choice).Sum(e => table.Choices[e.Old].Gain - table.Choices[e.New].Gain);
        return Math.Max(lost, 1e-9 * Math.Abs(table.Choices[choice].Gain) + double.Epsilon);
    }

    /// <summary>Takes the exchange of least P as long as P falls. A plan that is small enough stays so.</summary>
    private int[] Descend(int[] plan)
    {
        int[] current = [.. plan];
        double now = Evaluate(current);
        while (true)
        {
            double[] exchanges = loss.EvaluateExchanges([.. table.Taken(current)], layerOfChoice, table);
            int chosen = Enumerable.Range(0, table.FirstChoice[table.FirstConsequence]).Where(choice => MayTake(current, choice)).DefaultIfEmpty(-1)
                .MinBy(choice => choice < 0 ? 0 : exchanges[choice]);
            if (chosen < 0)
                return current;
            int[] next = Exchange(current, chosen);
            double after = Evaluate(next);
            if (!(after < now))
                return current;
            (current, now) = (next, after);
        }
    }

    /// <summary>
    /// The tangent at a plan and, where the plan is above the budget, that at the point of the budget on the way to it, which cuts deeper
    /// elsewhere. A plan so near to the budget that no rounded tangent cuts it off is ruled out by itself.
    /// </summary>
    private void AddTangents(int[] plan)
    {
        int[] taken = [.. table.Taken(plan)];
        bool cut = Add(taken, 1);
        if (IsWithin(plan))
            return;
        cut |= Add(taken, loss.ScaleToBudget(taken));
        if (!cut)
            excluded.Add(taken);
    }

    /// <summary>Adds a tangent; says whether it cuts off the plan.</summary>
    private bool Add(int[] taken, double scale)
    {
        (double[] coefficients, double limit) = loss.Tangent(taken, scale);
        tangents++;
        if (Scaling.Weak(coefficients, limit, table.FirstChoice) is not { } row)
        {
            contradictory = true;
            return true;
        }

        limits.Add(row);
        return taken.Sum(choice => row.Coefficients[choice]) > row.Limit;
    }
}
