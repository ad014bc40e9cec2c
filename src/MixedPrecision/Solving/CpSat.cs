using System.Globalization;
using Google.OrTools.Sat;

namespace MixedPrecision.Solving;

/// <summary>What CP-SAT says about an integer program.</summary>
/// <param name="Plan">A choice per layer; null when no plan was found.</param>
/// <param name="Proven">The plan is proven optimal, up to the program's tolerance, or, without a plan, that there is none.</param>
/// <param name="Bound">No plan's objective is greater, in units.</param>
/// <param name="Effort">What it cost, in CP-SAT's deterministic time.</param>
internal sealed record CpSatAnswer(int[]? Plan, bool Proven, long Bound, double Effort);

/// <summary>
/// An <see cref="IntegerProgram"/> in CP-SAT, which works on integers and proves to a gap of exactly zero where no tolerance is given. One worker and one seed: equal
/// programs give equal answers; the limit counts operations, not seconds, for the same reason.
/// </summary>
internal static class CpSat
{
    /// <summary>What the programs of one problem may cost, in CP-SAT's deterministic time, whose unit is about a second of search.</summary>
    public const double MaximizeLimit = 20;

    /// <summary>What those of one budget may cost where others were solved before.</summary>
    public const double NextLimit = 2;

    private const double MinimizeLimit = 2;

    /// <summary>How often a search looks whether it is to stop.</summary>
    private static readonly TimeSpan StopPeriod = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Full linear relaxation, which knapsacks need; no search for symmetries, which they do not have. No presolve: that of OR-Tools 9.15 drops
    /// optima and certifies what is left (google/or-tools, issue 5293), and these programs do not need it.
    /// </summary>
    private const string Strategy = "num_workers:1 random_seed:1 linearization_level:2 symmetry_level:0 cp_model_presolve:false";

    /// <summary>For programs that are solved in a row and begin with the tangents that matter: looking for cuts would take most of the time.</summary>
    private const string WithoutCuts = " cut_level:0 max_num_cuts:0";

    /// <summary>The plan of greatest gain.</summary>
    /// <param name="hint">A plan to start from.</param>
    /// <param name="limit">What it may cost, in CP-SAT's deterministic time.</param>
    /// <param name="cancellation">Ends the search with an <see cref="OperationCanceledException"/>.</param>
    public static CpSatAnswer Maximize(IntegerProgram program, int[] hint, double limit, CancellationToken cancellation)
    {
        Built built = Build(program, hint, null);
        built.Model.Maximize(built.Gain);
        CpSatAnswer answer = Solve(built, program, limit, program.Tolerance, cancellation);
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
        Built built = Build(program, hint, cost);
        built.Model.Add(built.Gain >= leastGain);
        built.Model.Maximize(LinearExpr.WeightedSum(built.Choices.Select(c => c.Variable), built.Choices.Select(c => -Sum(cost, c.Flat))));
        return Solve(built, program, MinimizeLimit, 0, cancellation);
    }

    /// <summary>A program in CP-SAT.</summary>
    /// <param name="Choices">Variables, and the flat choices that are taken when they are true.</param>
    private sealed record Built(CpModel Model, IReadOnlyList<(BoolVar Variable, int[] Flat)> Choices, LinearExpr Gain);

    /// <param name="cost">What counts besides gain and limits, by choice; null for nothing.</param>
    private static Built Build(IntegerProgram program, int[] hint, long[]? cost)
    {
        var model = new CpModel();
        var choices = new List<(BoolVar Variable, int[] Flat)>();
        var single = new BoolVar[program.Gains.Length];
        HashSet<int> hinted = [.. hint.Select((choice, layer) => program.FirstChoice[layer] + choice)];
        int[] within = [.. program.Consequences.Select(program.ColumnsThatTell)];
        var (terms, gains) = (new List<BoolVar>(), new List<long>());
        for (int subgraph = 0; subgraph < program.Columns.Count; subgraph++)
        {
            (int begin, int end) = (program.FirstLayer[subgraph], program.FirstLayer[subgraph + 1]);
            if (program.Columns[subgraph].Count > 0)
            {
                int[] told = [.. Enumerable.Range(0, within.Length).Where(c => within[c] == subgraph)];
                IReadOnlyList<Column> columns = Undominated(program, subgraph, told, cost);
                BoolVar[] own = [.. columns.Select((_, index) => model.NewBoolVar($"y{subgraph}/{index}"))];
                model.AddExactlyOne(own);
                foreach ((Column column, BoolVar variable) in columns.Zip(own))
                {
                    model.AddHint(variable, column.Choices.All(hinted.Contains));
                    choices.Add((variable, column.Choices));
                    terms.Add(variable);
                    gains.Add(column.Gain);
                }

                continue;
            }

            for (int layer = begin; layer < end; layer++)
            {
                (int first, int next) = (program.FirstChoice[layer], program.FirstChoice[layer + 1]);
                for (int choice = first; choice < next; choice++)
                {
                    single[choice] = model.NewBoolVar($"x{layer}/{choice}");
                    model.AddHint(single[choice], choice - first == hint[layer]);
                    choices.Add((single[choice], [choice]));
                    terms.Add(single[choice]);
                    gains.Add(program.Gains[choice]);
                }

                model.AddExactlyOne(single[first..next]);
            }

            AddCorrections(model, single, program.Corrections[subgraph], terms, gains);
        }

        foreach (int consequence in Enumerable.Range(0, within.Length).Where(c => within[c] < 0))
        {
            (BoolVar none, BoolVar any) = AddConsequence(model, choices, program.Consequences[consequence], $"s{consequence}");
            int first = program.FirstChoice[program.FirstLayer[^1] + consequence];
            foreach ((BoolVar variable, int choice) in new[] { (none, first), (any, first + 1) })
            {
                model.AddHint(variable, hinted.Contains(choice));
                choices.Add((variable, [choice]));
                terms.Add(variable);
                gains.Add(program.Gains[choice]);
            }
        }

        foreach (LimitRow row in program.Limits)
            model.Add(LinearExpr.WeightedSum(choices.Select(c => c.Variable), choices.Select(c => Sum(row.Coefficients, c.Flat))) <= row.Limit);
        AddShared(model, choices, program.Shared);
        foreach ((int choice, int required) in program.Requirements.Where(r => single[r.Choice] is not null))
            model.AddImplication(single[choice], single[required]);
        foreach (int[] plan in program.Excluded)
            model.AddBoolOr(choices.Where(c => c.Flat.All(plan.Contains)).Select(c => c.Variable.Not()));
        return new Built(model, choices, LinearExpr.WeightedSum(terms, gains));
    }

    /// <summary>A variable for each format that a group may share: each member is in it exactly when that is true.</summary>
    private static void AddShared(CpModel model, List<(BoolVar Variable, int[] Flat)> choices, IReadOnlyList<SharedGroup> groups)
    {
        if (groups.Count == 0)
            return;
        ILookup<int, BoolVar> variables = choices.SelectMany(c => c.Flat.Select(flat => (flat, c.Variable))).ToLookup(c => c.flat, c => c.Variable);
        foreach ((SharedGroup group, int index) in groups.Select((group, index) => (group, index)))
        {
            BoolVar[] shared = [.. group.Options.Select((_, option) => model.NewBoolVar($"g{index}/{option}"))];
            model.AddExactlyOne(shared);
            foreach ((int[] option, BoolVar variable) in group.Options.Zip(shared))
            {
                foreach (BoolVar[] member in option.Select(choice => variables[choice].ToArray()))
                {
                    if (member.Length > 0)
                        model.Add(LinearExpr.Sum(member) == variable);
                    else
                        model.AddBoolOr([variable.Not()]);
                }
            }
        }
    }

    /// <summary>A variable for each of the two states of a consequence. Of choices that exclude each other at most one is taken: so their sum is at most "any", which is tighter than one implication each.</summary>
    private static (BoolVar None, BoolVar Any) AddConsequence(CpModel model, List<(BoolVar Variable, int[] Flat)> choices, int[] from, string name)
    {
        (BoolVar none, BoolVar any) = (model.NewBoolVar($"{name}/none"), model.NewBoolVar($"{name}/any"));
        model.AddExactlyOne([none, any]);
        HashSet<int> among = [.. from];
        BoolVar[] causes = [.. choices.Where(c => Array.Exists(c.Flat, among.Contains)).Select(c => c.Variable)];
        foreach (BoolVar[] exclusive in causes.GroupBy(c => c.Name().Split('/')[0]).Select(group => group.ToArray()))
            model.Add(LinearExpr.Sum(exclusive) <= any);
        model.AddBoolOr([.. causes, none]);
        return (none, any);
    }

    /// <summary>
    /// The columns of a sub-graph without those in whose place another one gains as much and takes no more of any limit, has no other consequence that could be worse, nor costs more, with the same formats in layers that share theirs with others. Where plans are ruled out one by one all are kept: the other one may be part of such a plan.
    /// </summary>
    /// <param name="told">Consequences that are part of the columns.</param>
    private static IReadOnlyList<Column> Undominated(IntegerProgram program, int subgraph, int[] told, long[]? cost)
    {
        IReadOnlyList<Column> columns = program.Columns[subgraph];
        if (program.Excluded.Count > 0)
            return columns;
        (int first, int next) = (program.FirstChoice[program.FirstLayer[subgraph]], program.FirstChoice[program.FirstLayer[subgraph + 1]]);
        (bool[] From, bool IsNoneBetter)[] open =
        [
            .. Enumerable.Range(0, program.Consequences.Count).Except(told).Where(consequence => program.Consequences[consequence].Any(choice => choice >= first && choice < next))
                .Select(consequence => (Members(program.Consequences[consequence], first, next), IsNoneBetter(program, consequence, cost))),
        ];
        HashSet<int> tied = [.. program.Shared.Where(group => group.Options[0].Any(choice => choice < first || choice >= next)).SelectMany(group => group.Options).SelectMany(option => option)];
        string[] shares = [.. columns.Select(column => tied.Count == 0 ? "" : string.Join(' ', column.Choices.Where(tied.Contains)))];
        long[][] takes = [.. columns.Select(Takes)];
        int[] order = [.. Enumerable.Range(0, columns.Count).OrderByDescending(c => columns[c].Gain).ThenBy(c => Total(takes[c])).ThenBy(c => c)];
        var kept = new List<int>();
        foreach (int column in order)
        {
            bool isBeaten = false;
            for (int i = 0; i < kept.Count && !isBeaten; i++)
                isBeaten = shares[kept[i]] == shares[column] && IsAtMost(takes[kept[i]], takes[column]);
            if (!isBeaten)
                kept.Add(column);
        }

        return [.. kept.Order().Select(c => columns[c])];

        long[] Takes(Column column)
        {
            long[] takes = new long[program.Limits.Count + (2 * open.Length) + 1];
            for (int row = 0; row < program.Limits.Count; row++)
                takes[row] = Sum(program.Limits[row].Coefficients, column.Choices);
            for (int i = 0; i < open.Length; i++)
            {
                bool any = Array.Exists(column.Choices, choice => choice < next && open[i].From[choice - first]);
                takes[program.Limits.Count + (2 * i)] = any ? 1 : 0;
                takes[program.Limits.Count + (2 * i) + 1] = any || open[i].IsNoneBetter ? 0 : 1;
            }

            takes[^1] = cost is null ? 0 : Sum(cost, column.Choices);
            return takes;
        }
    }

    /// <summary>Which of a range of choices are named.</summary>
    private static bool[] Members(int[] choices, int first, int next)
    {
        bool[] members = new bool[next - first];
        foreach (int choice in choices.Where(choice => choice >= first && choice < next))
            members[choice - first] = true;
        return members;
    }

    private static double Total(long[] values)
    {
        double sum = 0;
        foreach (long value in values)
            sum += value;
        return sum;
    }

    private static long Sum(long[] values, int[] indices)
    {
        long sum = 0;
        foreach (int index in indices)
            sum += values[index];
        return sum;
    }

    /// <summary>Whether nothing is better with "any" than with "none".</summary>
    private static bool IsNoneBetter(IntegerProgram program, int consequence, long[]? cost)
    {
        int none = program.FirstChoice[program.FirstLayer[^1] + consequence], any = none + 1;
        return program.Gains[none] >= program.Gains[any] && program.Limits.All(row => row.Coefficients[none] <= row.Coefficients[any]) && (cost is null || cost[none] <= cost[any]);
    }

    private static bool IsAtMost(long[] one, long[] other)
    {
        for (int i = 0; i < one.Length; i++)
        {
            if (one[i] > other[i])
                return false;
        }

        return true;
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

    private static CpSatAnswer Solve(Built built, IntegerProgram program, double limit, long tolerance, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var solver = new CpSolver
        {
            StringParameters = string.Create(
                CultureInfo.InvariantCulture, $"{Strategy}{(program.IsInSeries ? WithoutCuts : "")} log_search_progress:false max_deterministic_time:{limit} absolute_gap_limit:{tolerance}"),
        };
        CpSolverStatus status;
        // Asked again and again, since CP-SAT forgets a stop that comes before its search.
        using (new Timer(_ => StopIf(solver, cancellation), null, StopPeriod, StopPeriod))
            status = solver.Solve(built.Model);
        cancellation.ThrowIfCancellationRequested();
        if (status == CpSolverStatus.ModelInvalid)
            throw new InvalidOperationException("CP-SAT rejects the program: " + built.Model.Validate());
        double effort = solver.Response!.DeterministicTime;
        if (status is not (CpSolverStatus.Optimal or CpSolverStatus.Feasible))
            return new CpSatAnswer(null, status == CpSolverStatus.Infeasible, long.MaxValue, effort);

        int[] taken = [.. built.Choices.Where(c => solver.BooleanValue(c.Variable)).SelectMany(c => c.Flat).Order()];
        return new CpSatAnswer(
            [.. taken.Select((choice, layer) => choice - program.FirstChoice[layer])], status == CpSolverStatus.Optimal, (long)Math.Ceiling(solver.BestObjectiveBound), effort);
    }
}
