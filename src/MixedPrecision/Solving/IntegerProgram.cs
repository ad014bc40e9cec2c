namespace MixedPrecision.Solving;

/// <summary>Σ coefficient · choice ≤ limit, with coefficients of at least 0, one for each choice.</summary>
internal sealed record LimitRow(long[] Coefficients, long Limit);

/// <summary>The choices (flat indices) that are a measured configuration, and what taking all of them adds to their gains.</summary>
internal sealed record Correction(int[] Choices, long Gain);

/// <summary>The integer program as plain numbers: one choice per layer, greatest gain, within each limit.</summary>
/// <param name="FirstChoice">Index of each layer's first choice, and the number of choices behind the last.</param>
/// <param name="Gains">Gain of each choice, in units of <see cref="GainUnit"/>.</param>
/// <param name="Corrections">Per sub-graph, what its measured configurations add.</param>
/// <param name="Limits">The budget, or tangents of it.</param>
/// <param name="Excluded">Plans that are ruled out one by one (flat indices of their choices).</param>
/// <param name="Requirements">Pairs of choices of which the first may only be taken with the second.</param>
/// <param name="GainUnit">What one integer of gain stands for, in the unit of the objective.</param>
internal sealed record IntegerProgram(
    int[] FirstChoice,
    long[] Gains,
    IReadOnlyList<IReadOnlyList<Correction>> Corrections,
    IReadOnlyList<LimitRow> Limits,
    IReadOnlyList<int[]> Excluded,
    IReadOnlyList<(int Choice, int Required)> Requirements,
    double GainUnit)
{
    /// <summary>Gains are rounded down, measured ones as a whole: a plan's integer gain is never above its true one.</summary>
    public static IntegerProgram Build(ChoiceTable table)
    {
        double unit = Scaling.GainUnit(table);
        long[] gains = [.. table.Choices.Select(choice => Scaling.RoundDown(choice.Gain, unit))];
        IReadOnlyList<Correction>[] corrections = [.. table.Measured.Select((list, subgraph) =>
            (IReadOnlyList<Correction>)[.. list.Select(measured => Correct(table, subgraph, measured.Plan, measured.Gain, gains, unit))])];
        return new IntegerProgram(table.FirstChoice, gains, corrections, [], [], [.. table.Requirements], unit);
    }

    /// <summary>The gain of a plan in units.</summary>
    public long Gain(IEnumerable<int> taken)
    {
        HashSet<int> set = [.. taken];
        return set.Sum(choice => Gains[choice])
            + Corrections.SelectMany(list => list).Where(correction => correction.Choices.All(set.Contains))
                .Sum(correction => correction.Gain);
    }

    /// <summary>Whether a plan meets every limit and is not ruled out.</summary>
    public bool Satisfies(int[] taken) =>
        Limits.All(row => taken.Sum(choice => row.Coefficients[choice]) <= row.Limit)
        && !Excluded.Any(taken.SequenceEqual)
        && Requirements.All(r => !taken.Contains(r.Choice) || taken.Contains(r.Required));

    private static Correction Correct(ChoiceTable table, int subgraph, int[] plan, double gain, long[] gains, double unit)
    {
        int[] choices = [.. plan.Select((choice, layer) => table.FirstChoice[table.FirstLayer[subgraph] + layer] + choice)];
        return new Correction(choices, Scaling.RoundDown(gain, unit) - choices.Sum(choice => gains[choice]));
    }
}
