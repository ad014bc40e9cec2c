namespace MixedPrecision.Solving;

/// <summary>
/// P(x) of <see cref="LossModel.Quadratic"/> and its tangents. A choice is taken or not, x² = x, so any part μ of the diagonal that leaves
/// the rest convex may be counted linearly without changing P at any plan:
/// P(x) = (1 − s) · (E[(Σ δ)²] − μ Σ d x² + μ Σ d x) + s Σ d x + (Σ ρ)², d = E[δ²].
/// The greater μ, the nearer are the tangents to P. It is the least eigenvalue of the correlations, found from below by Cholesky
/// decompositions.
/// </summary>
internal sealed class QuadraticLoss
{
    /// <summary>Bound of the relative rounding error of one coefficient, a sum over samples.</summary>
    private const double RelativeError = 1e-13;

    private readonly LossModel.Quadratic model;
    private readonly int samples;
    private readonly double[] diagonal;
    private double? shift;

    public QuadraticLoss(LossModel.Quadratic model, int choices)
    {
        this.model = model;
        samples = model.Deltas.Select(row => row.Length).DefaultIfEmpty(0).Max();
        Check(choices);
        diagonal = [.. model.Deltas.Select(row => row.Length == 0 ? 0 : row.Sum(delta => delta * delta) / row.Length)];
    }

    /// <summary>μ, which only tangents need: evaluating plans does without.</summary>
    private double Shift => shift ??= CorrelationMatrix.LeastEigenvalue([.. model.Deltas.Where((_, choice) => diagonal[choice] > 0)], samples);

    /// <summary>Finds μ, so that tangents may be taken beside each other.</summary>
    public void Prepare() => _ = Shift;

    /// <summary>P over all choices of a table: those of structures add nothing, consequences what they bring along.</summary>
    public static QuadraticLoss Of(LossModel.Quadratic model, ChoiceTable table)
    {
        int structures = Enumerable.Range(0, table.Layers.Length).Where(table.IsStructure).Sum(layer => table.Layers[layer].Choices.Count);
        int others = structures + (2 * table.Consequences.Length);
        if (others == 0 || model.Deltas.Count + others != table.Choices.Length || model.Rises.Count != model.Deltas.Count)
            return new QuadraticLoss(model, table.Choices.Length - others);

        var deltas = new List<double[]>();
        var rises = new List<double>();
        int taken = 0;
        for (int layer = 0; layer < table.FirstConsequence; layer++)
        {
            int count = table.Layers[layer].Choices.Count;
            bool isStructure = table.IsStructure(layer);
            deltas.AddRange(isStructure ? Enumerable.Repeat<double[]>([], count) : model.Deltas.Skip(taken).Take(count));
            rises.AddRange(isStructure ? Enumerable.Repeat(0.0, count) : model.Rises.Skip(taken).Take(count));
            taken += isStructure ? 0 : count;
        }

        foreach (Consequence consequence in table.Problem.Consequences)
        {
            deltas.AddRange([], consequence.Deltas);
            rises.AddRange(0, consequence.Rise);
        }

        return new QuadraticLoss(model with { Deltas = deltas, Rises = rises }, table.Choices.Length);
    }

    /// <summary>P of the plan that takes these choices.</summary>
    public double Evaluate(IEnumerable<int> taken)
    {
        int[] choices = [.. taken];
        (double[] sum, double rise) = Sums(choices);
        return Evaluate(sum, choices.Sum(choice => diagonal[choice]), rise);
    }

    /// <summary>P of a plan with the choice of each layer in turn replaced: value[choice] for every choice of every layer, consequences included.</summary>
    public double[] EvaluateExchanges(int[] taken, int[] layerOfChoice, ChoiceTable table)
    {
        (double[] sum, double rise) = Sums(taken);
        double linear = taken.Sum(choice => diagonal[choice]);
        double[] values = new double[diagonal.Length];
        double[] exchanged = new double[samples];
        for (int choice = 0; choice < table.FirstChoice[table.FirstConsequence]; choice++)
        {
            int old = taken[layerOfChoice[choice]];
            sum.CopyTo(exchanged, 0);
            double nextLinear = linear, nextRise = rise;
            Exchange(old, choice);
            foreach (int consequence in table.ChangedBy(taken, old, choice))
            {
                int layer = table.FirstConsequence + consequence, first = table.FirstChoice[layer];
                Exchange(taken[layer], taken[layer] == first ? first + 1 : first);
            }

            values[choice] = Evaluate(exchanged, nextLinear, nextRise);

            void Exchange(int from, int to)
            {
                Add(exchanged, model.Deltas[from], -1);
                Add(exchanged, model.Deltas[to], 1);
                nextLinear += diagonal[to] - diagonal[from];
                nextRise += model.Rises[to] - model.Rises[from];
            }
        }

        return values;
    }

    /// <summary>
    /// The tangent of P at the plan times a factor, as Σ coefficient ≤ limit: each plan with P ≤ budget satisfies it, also when
    /// the coefficients are rounded, since each is lowered by the rounding error it may have.
    /// </summary>
    /// <param name="taken">Choices of the plan.</param>
    /// <param name="scale">1 for the plan itself; below 1 for a point between the empty plan and it.</param>
    /// <param name="budget">Budget of P.</param>
    public (double[] Coefficients, double Limit) Tangent(int[] taken, double scale, double budget)
    {
        (double[] sum, double rise) = Sums(taken);
        HashSet<int> set = [.. taken];
        double correlated = 1 - model.Shrinkage;
        double[] coefficients = new double[diagonal.Length];
        for (int choice = 0; choice < coefficients.Length; choice++)
        {
            double[] row = model.Deltas[choice];
            double product = 0;
            double magnitude = 0;
            for (int sample = 0; sample < row.Length; sample++)
            {
                product += row[sample] * sum[sample];
                magnitude += Math.Abs(row[sample] * sum[sample]);
            }

            double own = set.Contains(choice) ? 2 * scale : 0;
            double linear = (correlated * Shift + model.Shrinkage) * diagonal[choice];
            double rising = 2 * scale * rise * model.Rises[choice];
            coefficients[choice] = correlated * (2 * scale * product / samples - Shift * own * diagonal[choice]) + linear + rising;
            magnitude = correlated * (2 * scale * magnitude / samples + Shift * own * diagonal[choice]) + linear + rising;
            coefficients[choice] -= RelativeError * magnitude;
        }

        double square = samples == 0 ? 0 : sum.Sum(value => value * value) / samples;
        double shifted = Shift * taken.Sum(choice => diagonal[choice]);
        double constant = scale * scale * (correlated * (square - shifted) + rise * rise);
        double error = scale * scale * (correlated * (square + shifted) + rise * rise) + budget;
        return (coefficients, budget + constant + RelativeError * error);
    }

    /// <summary>The factor by which a plan above the budget has to shrink for the convex form of P to meet the budget.</summary>
    public double ScaleToBudget(int[] taken, double budget)
    {
        (double[] sum, double rise) = Sums(taken);
        double correlated = 1 - model.Shrinkage;
        double diagonalSum = taken.Sum(choice => diagonal[choice]);
        double square = correlated * ((samples == 0 ? 0 : sum.Sum(value => value * value) / samples) - Shift * diagonalSum) + rise * rise;
        double linear = (correlated * Shift + model.Shrinkage) * diagonalSum;
        double root = Math.Sqrt(linear * linear + 4 * Math.Max(square, 0) * budget);
        return linear + root == 0 ? 1 : Math.Clamp(2 * budget / (linear + root), 0, 1);
    }

    private double Evaluate(double[] sum, double linear, double rise)
    {
        double square = 0;
        foreach (double value in sum)
            square += value * value;
        return (samples == 0 ? 0 : (1 - model.Shrinkage) * square / samples) + model.Shrinkage * linear + rise * rise;
    }

    private (double[] Sum, double Rise) Sums(IEnumerable<int> taken)
    {
        double[] sum = new double[samples];
        double rise = 0;
        foreach (int choice in taken)
        {
            Add(sum, model.Deltas[choice], 1);
            rise += model.Rises[choice];
        }

        return (sum, rise);
    }

    private static void Add(double[] sum, double[] row, double factor)
    {
        for (int sample = 0; sample < row.Length; sample++)
            sum[sample] += factor * row[sample];
    }

    private void Check(int choices)
    {
        if (model.Deltas.Count != choices || model.Rises.Count != choices)
            throw new ArgumentException($"{model.Deltas.Count} rows and {model.Rises.Count} rises for {choices} choices.");
        if (model.Deltas.Any(row => (row.Length != 0 && row.Length != samples) || !row.All(double.IsFinite)))
            throw new ArgumentException("Rows of differing length, or with a value that is no number.");
        if (model.Rises.Any(rise => !double.IsFinite(rise) || rise < 0) || !(model.Shrinkage is >= 0 and <= 1))
            throw new ArgumentException("A rise below 0, or a shrinkage outside of 0 to 1.");
    }
}
