namespace MixedPrecision.Solving;

/// <summary>
/// Real numbers to integers, rounded to a stated side. Budgets become 2^40 units, so that losses over many orders of magnitude keep their
/// digits, and sums over a million layers stay far from overflow.
/// </summary>
internal static class Scaling
{
    public const long BudgetUnits = 1L << 40;

    private const double GainUnits = 1L << 40;

    /// <summary>A power of two such that the greatest gains of all layers sum to at most 2^40 units.</summary>
    public static double GainUnit(ChoiceTable table)
    {
        double total = table.Layers.Sum(layer => layer.Choices.Max(choice => Math.Abs(choice.Gain)))
            + table.Measured.Sum(list => list.Select(measured => Math.Abs(measured.Gain)).DefaultIfEmpty(0).Max());
        return Math.ScaleB(1, (total == 0 ? 0 : Math.ILogB(total) + 1) - Math.ILogB(GainUnits));
    }

    /// <summary>The greatest integer number of units, a power of two, that is not above a value.</summary>
    public static long RoundDown(double value, double unit) => (long)Math.Floor(value / unit);

    /// <summary>
    /// Σ loss ≤ budget as a row that no plan above the budget meets: losses are rounded up, and exactly 0 stays 0. Each layer's least
    /// loss is taken off both sides first, so that the plan of least loss meets any budget that it does not pass. A choice that cannot
    /// be within the budget is just beyond the limit.
    /// </summary>
    public static LimitRow Budget(ChoiceTable table, double budget)
    {
        double least = table.Layers.Sum(layer => layer.Choices.Min(choice => choice.Loss));
        double rest = Math.Max(0, budget - least - least * 1e-15 * table.Layers.Length);
        return new LimitRow(
            [
                .. table.Layers.SelectMany(layer =>
                    layer.Choices.Select(choice => UnitsUp(choice.Loss - layer.Choices.Min(other => other.Loss), rest))),
            ],
            BudgetUnits);
    }

    /// <summary>Σ bytes ≤ the most, exactly: bytes are whole numbers. Each decision's least is taken off both sides first. Null where any number is allowed; a limit below 0 is one that no plan meets.</summary>
    public static LimitRow? Size(ChoiceTable table)
    {
        if (table.Problem.MostBytes is not { } most)
            return null;
        long[] least = [.. table.Layers.Select(layer => layer.Choices.Min(choice => choice.Bytes))];
        return new LimitRow([.. table.Layers.Zip(least).SelectMany(l => l.First.Choices.Select(choice => choice.Bytes - l.Second))], most - least.Sum());
    }

    /// <summary>
    /// Σ coefficient ≤ limit over one choice per layer, as a row that each plan which satisfies it meets: rounded to the weak side.
    /// Coefficients may be negative: each layer's least is taken off both sides first. Null when no plan satisfies it.
    /// </summary>
    public static LimitRow? Weak(double[] coefficients, double limit, int[] firstChoice)
    {
        double rest = limit;
        double[] shifted = new double[coefficients.Length];
        double magnitude = Math.Abs(limit);
        for (int layer = 0; layer + 1 < firstChoice.Length; layer++)
        {
            (int first, int end) = (firstChoice[layer], firstChoice[layer + 1]);
            double least = coefficients.AsSpan(first, end - first).ToArray().Min();
            rest -= least;
            magnitude += Math.Abs(least);
            for (int choice = first; choice < end; choice++)
                shifted[choice] = (coefficients[choice] - least) * (1 - 1e-15);
        }

        // What the subtractions themselves may have lost.
        rest += magnitude * 1e-15 * firstChoice.Length;
        if (rest < 0)
            return null;
        return new LimitRow([.. shifted.Select(value => UnitsDown(value, rest))], BudgetUnits);
    }

    /// <summary>value / budget in units, rounded up.</summary>
    private static long UnitsUp(double value, double budget)
    {
        if (value == 0)
            return 0;
        if (value > budget)
            return BudgetUnits + 1;
        double quotient = value / budget;
        // The quotient is rounded to nearest; its exact remainder tells whether down.
        if (Math.FusedMultiplyAdd(-quotient, budget, value) > 0)
            quotient = Math.BitIncrement(quotient);
        return (long)Math.Ceiling(quotient * BudgetUnits);
    }

    private static long UnitsDown(double value, double limit) =>
        value > limit ? BudgetUnits + 1 : value == 0 ? 0 : (long)Math.Floor(Math.BitDecrement(value / limit) * BudgetUnits);
}
