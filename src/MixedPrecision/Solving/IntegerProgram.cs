namespace MixedPrecision.Solving;

/// <summary>Σ coefficient · choice ≤ limit, with coefficients of at least 0, one for each choice.</summary>
internal sealed record LimitRow(long[] Coefficients, long Limit);

/// <summary>The choices (flat indices) that are a measured configuration, and what taking all of them adds to their gains.</summary>
internal sealed record Correction(int[] Choices, long Gain);

/// <summary>A whole configuration of a sub-graph: the flat indices of its choices and of the consequences that it alone tells, and what all of them gain.</summary>
internal sealed record Column(int[] Choices, long Gain);

/// <summary>The integer program as plain numbers: one choice per layer, greatest gain, within each limit.</summary>
/// <param name="FirstChoice">Index of each layer's first choice, and the number of choices behind the last.</param>
/// <param name="FirstLayer">Index of each sub-graph's first layer, and behind the last that of the first consequence.</param>
/// <param name="Gains">Gain of each choice, in units of <see cref="GainUnit"/>.</param>
/// <param name="Corrections">Per sub-graph, what its measured configurations add.</param>
/// <param name="Columns">Per sub-graph, of each combination of formats the structure that gains most, where that are few enough to be told one by one; else empty.</param>
/// <param name="Consequences">The choices that each consequence follows from: its second choice is taken when any of them is, else its first.</param>
/// <param name="Limits">The budget, or tangents of it.</param>
/// <param name="Excluded">Plans that are ruled out one by one (flat indices of their choices).</param>
/// <param name="Requirements">Pairs of choices of which the first may only be taken with the second.</param>
/// <param name="GainUnit">What one integer of gain stands for, in the unit of the objective.</param>
/// <param name="Tolerance">How far below the bound a plan may be and still be proven, in units.</param>
internal sealed record IntegerProgram(
    int[] FirstChoice,
    int[] FirstLayer,
    long[] Gains,
    IReadOnlyList<IReadOnlyList<Correction>> Corrections,
    IReadOnlyList<IReadOnlyList<Column>> Columns,
    IReadOnlyList<int[]> Consequences,
    IReadOnlyList<LimitRow> Limits,
    IReadOnlyList<int[]> Excluded,
    IReadOnlyList<(int Choice, int Required)> Requirements,
    double GainUnit,
    long Tolerance)
{
    /// <summary>Beyond so many combinations of formats a sub-graph is described by its layers and what measured configurations add to them.</summary>
    private const int MostColumns = 1024;

    /// <summary>Layers that carry one format.</summary>
    public IReadOnlyList<SharedGroup> Shared { get; init; } = [];

    /// <summary>Whether it is one of many that differ in little, and begins with what the others told.</summary>
    public bool IsInSeries { get; init; }

    /// <summary>Gains are rounded down, measured ones as a whole: a plan's integer gain is never above its true one.</summary>
    public static IntegerProgram Build(ChoiceTable table)
    {
        double unit = Scaling.GainUnit(table);
        long[] gains = [.. table.Choices.Select(choice => Scaling.RoundDown(choice.Gain, unit))];
        IReadOnlyList<Correction>[] corrections = [.. table.Measured.Select((list, subgraph) =>
            (IReadOnlyList<Correction>)[.. list.Select(measured => Correct(table, subgraph, measured.Plan, measured.Gain, gains, unit))])];
        IReadOnlyList<Column>[] columns = [.. table.Measured.Select((_, subgraph) => ColumnsOf(table, subgraph, gains, corrections[subgraph]))];
        var program = new IntegerProgram(
            table.FirstChoice, table.FirstLayer, gains, corrections, columns, table.Consequences, [], [], [.. table.Requirements], unit, Scaling.RoundDown(table.Problem.Tolerance, unit))
        { Shared = table.Shared.Groups };
        ILookup<int, int> told = Enumerable.Range(0, table.Consequences.Length).ToLookup(c => program.ColumnsThatTell(table.Consequences[c]));
        return program with { Columns = [.. columns.Select((own, subgraph) => own.Select(column => program.With(column, [.. told[subgraph]])).ToArray())] };
    }

    /// <summary>The gain of a plan in units.</summary>
    public long Gain(IEnumerable<int> taken)
    {
        HashSet<int> set = [.. taken];
        return set.Sum(choice => Gains[choice])
            + Corrections.SelectMany(list => list).Where(correction => correction.Choices.All(set.Contains))
                .Sum(correction => correction.Gain);
    }

    /// <summary>The sub-graph whose columns hold all choices that a consequence follows from; −1 for none.</summary>
    public int ColumnsThatTell(int[] consequence) =>
        Enumerable.Range(0, Columns.Count).FirstOrDefault(s => Columns[s].Count > 0 && consequence.All(c => c >= FirstChoice[FirstLayer[s]] && c < FirstChoice[FirstLayer[s + 1]]), -1);

    /// <summary>The choice that is taken of a consequence, as what is taken of the layers says.</summary>
    public int Following(int consequence, IReadOnlyCollection<int> taken) =>
        FirstChoice[FirstLayer[^1] + consequence] + (Consequences[consequence].Any(taken.Contains) ? 1 : 0);

    /// <summary>Whether a plan meets every limit and is not ruled out.</summary>
    public bool Satisfies(int[] taken) =>
        Limits.All(row => taken.Sum(choice => row.Coefficients[choice]) <= row.Limit)
        && !Excluded.Any(taken.SequenceEqual)
        && Shared.All(group => group.Options.Any(option => option.All(taken.Contains)))
        && Requirements.All(r => !taken.Contains(r.Choice) || taken.Contains(r.Required))
        && Enumerable.Range(0, Consequences.Count).All(c => taken.Contains(Following(c, taken)));

    /// <summary>A column with the consequences that follow from it alone.</summary>
    private Column With(Column column, int[] told)
    {
        int[] following = [.. told.Select(consequence => Following(consequence, column.Choices))];
        return new Column([.. column.Choices, .. following], column.Gain + following.Sum(choice => Gains[choice]));
    }

    private static IReadOnlyList<Column> ColumnsOf(ChoiceTable table, int subgraph, long[] gains, IReadOnlyList<Correction> corrections)
    {
        IReadOnlyList<int>[] plans = [.. table.Combinations(subgraph, MostColumns)];
        var corrected = corrections.ToDictionary(c => string.Join(' ', c.Choices), c => c.Gain);
        return [.. plans.Select(choices => new Column([.. choices], choices.Sum(c => gains[c]) + corrected.GetValueOrDefault(string.Join(' ', choices))))];
    }

    private static Correction Correct(ChoiceTable table, int subgraph, int[] plan, double gain, long[] gains, double unit)
    {
        int[] choices = [.. plan.Select((choice, layer) => table.FirstChoice[table.FirstLayer[subgraph] + layer] + choice)];
        return new Correction(choices, Scaling.RoundDown(gain, unit) - choices.Sum(choice => gains[choice]));
    }
}
