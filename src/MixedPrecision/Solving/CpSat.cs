using System.Globalization;
using Google.OrTools.Sat;

namespace MixedPrecision.Solving;

/// <summary>What CP-SAT says about an integer program.</summary>
/// <param name="Plan">A choice per layer; null when no plan was found.</param>
/// <param name="Proven">The plan is proven optimal, or, without a plan, that there is none.</param>
/// <param name="Bound">No plan's objective is greater, in units.</param>
internal sealed record CpSatAnswer(int[]? Plan, bool Proven, long Bound);

/// <summary>
/// An <see cref="IntegerProgram"/> in CP-SAT, which works on integers and proves to a gap of exactly zero. One worker and one seed: equal
/// programs give equal answers; the limit counts operations, not seconds, for the same reason.
/// </summary>
internal static class CpSat
{
    /// <summary>In CP-SAT's deterministic time, whose unit is about a second of search.</summary>
    private const double MaximizeLimit = 20;

    private const double MinimizeLimit = 2;

    /// <summary>How often a search looks whether it is to stop.</summary>
    private static readonly TimeSpan StopPeriod = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Full linear relaxation, which knapsacks need; no search for symmetries, which they do not have. No presolve: that of OR-Tools 9.15 drops
    /// optima and certifies what is left (google/or-tools, issue 5293), and these programs do not need it.
    /// </summary>
    private const string Strategy = "num_workers:1 random_seed:1 linearization_level:2 symmetry_level:0 cp_model_presolve:false";

    /// <summary>The plan of greatest gain.</summary>
    /// <param name="hint">A plan to start from.</param>
    /// <param name="cancellation">Ends the search with an <see cref="OperationCanceledException"/>.</param>
    public static CpSatAnswer Maximize(IntegerProgram program, int[] hint, CancellationToken cancellation)
    {
        (CpModel model, BoolVar[] choices, LinearExpr gain) = Build(program, hint);
        model.Maximize(gain);
        CpSatAnswer answer = Solve(model, program, choices, MaximizeLimit, cancellation);
        int[] taken = [.. hint.Select((choice, layer) => program.FirstChoice[layer] + choice)];
        if (answer.Bound < program.Gain(taken) && program.Satisfies(taken))
            throw new InvalidOperationException("CP-SAT's bound contradicts a plan that satisfies the program.");
        return answer;
    }

    /// <summary>
    /// Among the plans of at least a gain, the one of least cost (one coefficient per choice), or the best found within a shorter limit.
    /// </summary>
    public static CpSatAnswer Minimize(IntegerProgram program, long[] cost, long leastGain, int[] hint, CancellationToken cancellation)
    {
        (CpModel model, BoolVar[] choices, LinearExpr gain) = Build(program, hint);
        model.Add(gain >= leastGain);
        model.Maximize(LinearExpr.WeightedSum(choices, [.. cost.Select(value => -value)]));
        return Solve(model, program, choices, MinimizeLimit, cancellation);
    }

    private static (CpModel Model, BoolVar[] Choices, LinearExpr Gain) Build(IntegerProgram program, int[] hint)
    {
        var model = new CpModel();
        BoolVar[] choices = [.. program.Gains.Select((_, index) => model.NewBoolVar($"x{index}"))];
        for (int layer = 0; layer + 1 < program.FirstChoice.Length; layer++)
        {
            int first = program.FirstChoice[layer];
            BoolVar[] own = choices[first..program.FirstChoice[layer + 1]];
            model.AddExactlyOne(own);
            for (int choice = 0; choice < own.Length; choice++)
                model.AddHint(own[choice], choice == hint[layer]);
        }

        var terms = new List<BoolVar>(choices);
        var gains = new List<long>(program.Gains);
        foreach (IReadOnlyList<Correction> corrections in program.Corrections)
            AddCorrections(model, choices, corrections, terms, gains);
        foreach (LimitRow row in program.Limits)
            model.Add(LinearExpr.WeightedSum(choices, row.Coefficients) <= row.Limit);
        foreach ((int choice, int required) in program.Requirements)
            model.AddImplication(choices[choice], choices[required]);
        foreach (int[] plan in program.Excluded)
            model.AddBoolOr(plan.Select(choice => choices[choice].Not()));
        return (model, choices, LinearExpr.WeightedSum(terms, gains));
    }

    /// <summary>
    /// A variable per measured configuration that is true exactly when all its choices are taken: corrections have either sign, so both
    /// directions are needed. Configurations of a sub-graph exclude each other, hence those that share a choice sum to at most that choice,
    /// which is tighter than one implication each.
    /// </summary>
    private static void AddCorrections(
        CpModel model, BoolVar[] choices, IReadOnlyList<Correction> corrections, List<BoolVar> terms, List<long> gains)
    {
        var sharing = new SortedDictionary<int, List<BoolVar>>();
        foreach (Correction correction in corrections)
        {
            BoolVar all = model.NewBoolVar($"z{terms.Count}");
            terms.Add(all);
            gains.Add(correction.Gain);
            model.AddBoolOr([all, .. correction.Choices.Select(choice => choices[choice].Not())]);
            foreach (int choice in correction.Choices)
            {
                if (!sharing.TryGetValue(choice, out List<BoolVar>? list))
                    sharing[choice] = list = [];
                list.Add(all);
            }
        }

        foreach ((int choice, List<BoolVar> list) in sharing)
            model.Add(LinearExpr.Sum(list) <= choices[choice]);
    }

    private static void StopIf(CpSolver solver, CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
            solver.StopSearch();
    }

    private static CpSatAnswer Solve(CpModel model, IntegerProgram program, BoolVar[] choices, double limit, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var solver = new CpSolver
        {
            StringParameters = string.Create(
                CultureInfo.InvariantCulture, $"{Strategy} log_search_progress:false max_deterministic_time:{limit}"),
        };
        CpSolverStatus status;
        // Asked again and again, since CP-SAT forgets a stop that comes before its search.
        using (new Timer(_ => StopIf(solver, cancellation), null, StopPeriod, StopPeriod))
            status = solver.Solve(model);
        cancellation.ThrowIfCancellationRequested();
        if (status == CpSolverStatus.ModelInvalid)
            throw new InvalidOperationException("CP-SAT rejects the program: " + model.Validate());
        if (status is not (CpSolverStatus.Optimal or CpSolverStatus.Feasible))
            return new CpSatAnswer(null, status == CpSolverStatus.Infeasible, long.MaxValue);

        int[] plan = new int[program.FirstChoice.Length - 1];
        for (int layer = 0; layer < plan.Length; layer++)
        {
            int first = program.FirstChoice[layer];
            plan[layer] = Array.FindIndex(choices, first, choice => solver.BooleanValue(choice)) - first;
        }

        return new CpSatAnswer(plan, status == CpSolverStatus.Optimal, (long)Math.Ceiling(solver.BestObjectiveBound));
    }
}
