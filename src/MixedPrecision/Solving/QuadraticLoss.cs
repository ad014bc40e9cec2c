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
    private readonly double meanSquareLoss;
    private double budget;
    private double? shift;

    /// <param name="budget">Greatest loss MSE: what is in doubt is counted against it.</param>
    public QuadraticLoss(LossModel.Quadratic model, int choices, double budget)
    {
        this.model = model;
        this.budget = budget;
        samples = model.Deltas.Select(row => row.Length).DefaultIfEmpty(0).Max();
        Check(choices);
        diagonal = [.. model.Deltas.Select(row => row.Length == 0 ? 0 : row.Sum(delta => delta * delta) / row.Length)];
        meanSquareLoss = model.Doubt?.SquareLosses.Average() ?? 0;
    }

    /// <summary>μ, which only tangents need: evaluating plans does without.</summary>
    private double Shift => shift ??= CorrelationMatrix.LeastEigenvalue([.. model.Deltas.Where((_, choice) => diagonal[choice] > 0)], samples);

    /// <summary>The same with another budget; what does not depend on it is found once.</summary>
    public QuadraticLoss At(double lossBudget)
    {
        _ = Shift;
        var other = (QuadraticLoss)MemberwiseClone();
        other.budget = lossBudget;
        return other;
    }

    /// <summary>P over all choices of a table: those of structures add nothing, consequences what they bring along.</summary>
    public static QuadraticLoss Of(LossModel.Quadratic model, ChoiceTable table)
    {
        int structures = Enumerable.Range(0, table.Layers.Length).Where(table.IsStructure).Sum(layer => table.Layers[layer].Choices.Count);
        int others = structures + (2 * table.Consequences.Length);
        if (others == 0 || model.Deltas.Count + others != table.Choices.Length || model.Rises.Count != model.Deltas.Count)
            return new QuadraticLoss(model, table.Choices.Length - others, table.Problem.LossBudget);

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

        return new QuadraticLoss(model with { Deltas = deltas, Rises = rises }, table.Choices.Length, table.Problem.LossBudget);
    }

    /// <summary>P of the plan that takes these choices.</summary>
    public double Evaluate(IEnumerable<int> taken)
    {
        int[] choices = [.. taken];
        (double[] sum, double rise) = Sums(choices);
        return Evaluate(sum, choices.Sum(choice => diagonal[choice]), rise);
    }

    /// <summary>What the budget bounds: P, and where samples leave it in doubt what that adds (<see cref="SampleDoubt"/>).</summary>
    public double Counted(IEnumerable<int> taken)
    {
        int[] choices = [.. taken];
        (double[] sum, double rise) = Sums(choices);
        return Evaluate(sum, choices.Sum(choice => diagonal[choice]), rise) + Doubted(sum, DoubtedSquares(choices));
    }

    /// <summary>P, and how far it lies from that of all samples there could be, as a ratio to E[g²]: standard errors of so many deviations below and above.</summary>
    /// <param name="squareLosses">g² of each sample.</param>
    public (double Low, double High) Interval(IEnumerable<int> taken, double[] squareLosses, double deviations)
    {
        int[] choices = [.. taken];
        (double[] sum, double rise) = Sums(choices);
        double value = Evaluate(sum, choices.Sum(choice => diagonal[choice]), rise), mean = squareLosses.Average();
        double[] terms = Terms(sum, Squares(choices), value, squareLosses, mean);
        double error = samples == 0 ? 0 : deviations * Math.Sqrt(Variance(terms) / samples);
        return (Math.Max(0, value - error), value + error);
    }

    /// <summary>The same as <see cref="Counted"/> of a plan with the choice of each layer in turn replaced, and those of layers that share its format: value[choice] for every choice of every layer, consequences included.</summary>
    public double[] EvaluateExchanges(int[] taken, int[] layerOfChoice, ChoiceTable table)
    {
        (double[] sum, double rise) = Sums(taken);
        double linear = taken.Sum(choice => diagonal[choice]);
        double[] values = new double[diagonal.Length];
        double[] exchanged = new double[samples], squares = DoubtedSquares(taken), exchangedSquares = new double[squares.Length];
        for (int choice = 0; choice < table.FirstChoice[table.FirstConsequence]; choice++)
        {
            IReadOnlyList<(int Old, int New)> exchanges = table.Exchanges(taken, layerOfChoice[choice], choice);
            sum.CopyTo(exchanged, 0);
            squares.CopyTo(exchangedSquares, 0);
            double nextLinear = linear, nextRise = rise;
            foreach ((int old, int other) in exchanges)
                Exchange(old, other);
            foreach (int consequence in table.ChangedBy(taken, exchanges))
            {
                int layer = table.FirstConsequence + consequence, first = table.FirstChoice[layer];
                Exchange(taken[layer], taken[layer] == first ? first + 1 : first);
            }

            values[choice] = Evaluate(exchanged, nextLinear, nextRise) + Doubted(exchanged, exchangedSquares);

            void Exchange(int from, int to)
            {
                Add(exchanged, model.Deltas[from], -1);
                Add(exchanged, model.Deltas[to], 1);
                if (squares.Length > 0)
                {
                    AddSquares(exchangedSquares, model.Deltas[from], -1);
                    AddSquares(exchangedSquares, model.Deltas[to], 1);
                }

                nextLinear += diagonal[to] - diagonal[from];
                nextRise += model.Rises[to] - model.Rises[from];
            }
        }

        return values;
    }

    /// <summary>
    /// The tangent of what the budget bounds at the plan times a factor, as Σ coefficient ≤ limit: each plan within the budget satisfies it, also when
    /// the coefficients are rounded, since each is lowered by the rounding error it may have. Where samples are in doubt, it is that of the quadratic of the plan's weights.
    /// </summary>
    /// <param name="taken">Choices of the plan.</param>
    /// <param name="scale">1 for the plan itself; below 1 for a point between the empty plan and it.</param>
    public (double[] Coefficients, double Limit) Tangent(int[] taken, double scale)
    {
        (double[] sum, double rise) = Sums(taken);
        (double[] weights, double allowed) = Weights(sum, DoubtedSquares(taken));
        double taking = Shift * weights.DefaultIfEmpty(1).Min();
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
                product += weights[sample] * row[sample] * sum[sample];
                magnitude += weights[sample] * Math.Abs(row[sample] * sum[sample]);
            }

            double own = set.Contains(choice) ? 2 * scale : 0;
            double linear = correlated * taking * diagonal[choice] + model.Shrinkage * Weighted(row, weights);
            double rising = 2 * scale * rise * model.Rises[choice];
            coefficients[choice] = correlated * (2 * scale * product / samples - taking * own * diagonal[choice]) + linear + rising;
            magnitude = correlated * (2 * scale * magnitude / samples + taking * own * diagonal[choice]) + linear + rising;
            coefficients[choice] -= RelativeError * magnitude;
        }

        double square = Weighted(sum, weights);
        double shifted = taking * taken.Sum(choice => diagonal[choice]);
        double constant = scale * scale * (correlated * (square - shifted) + rise * rise);
        double error = scale * scale * (correlated * (square + shifted) + rise * rise) + allowed;
        return (coefficients, allowed + constant + RelativeError * error);
    }

    /// <summary>The factor by which a plan above the budget has to shrink for the convex form of its quadratic to meet the budget.</summary>
    public double ScaleToBudget(int[] taken)
    {
        (double[] sum, double rise) = Sums(taken);
        (double[] weights, double allowed) = Weights(sum, DoubtedSquares(taken));
        double correlated = 1 - model.Shrinkage;
        double shifted = Shift * weights.DefaultIfEmpty(1).Min() * taken.Sum(choice => diagonal[choice]);
        double square = correlated * (Weighted(sum, weights) - shifted) + rise * rise;
        double linear = correlated * shifted + model.Shrinkage * taken.Sum(choice => Weighted(model.Deltas[choice], weights));
        double root = Math.Sqrt(linear * linear + 4 * Math.Max(square, 0) * allowed);
        return linear + root == 0 ? 1 : Math.Clamp(2 * allowed / (linear + root), 0, 1);
    }

    /// <summary>The weights of samples, times their number, of the quadratic that touches what the budget bounds at a plan, and what that quadratic may be: Σ w g² in place of E[g²] of the budget.</summary>
    private (double[] Weights, double Budget) Weights(double[] sum, double[] squares)
    {
        if (model.Doubt is not { } doubt)
            return ([.. Enumerable.Repeat(1.0, samples)], budget);
        double[] weights = SampleDoubt.Worst(Terms(sum, squares, budget, doubt.SquareLosses, meanSquareLoss), doubt.Deviations);
        return (weights, budget * weights.Zip(doubt.SquareLosses, (weight, square) => weight * square).Average() / meanSquareLoss);
    }

    /// <summary>What doubt adds to P.</summary>
    private double Doubted(double[] sum, double[] squares)
    {
        if (model.Doubt is not { } doubt)
            return 0;
        double[] terms = Terms(sum, squares, budget, doubt.SquareLosses, meanSquareLoss);
        return terms.Zip(SampleDoubt.Worst(terms, doubt.Deviations), (term, weight) => term * weight).Average() - terms.Average();
    }

    /// <summary>By sample, what it adds to P less its part of a loss MSE.</summary>
    private double[] Terms(double[] sum, double[] squares, double lossMse, double[] squareLosses, double mean) =>
        [.. sum.Select((value, sample) => (1 - model.Shrinkage) * value * value + model.Shrinkage * squares[sample] - lossMse * squareLosses[sample] / mean)];

    /// <summary>Σ δ² of the plan by sample.</summary>
    private double[] Squares(IEnumerable<int> taken)
    {
        double[] squares = new double[samples];
        foreach (int choice in taken)
            AddSquares(squares, model.Deltas[choice], 1);
        return squares;
    }

    /// <summary>The same where samples are in doubt; none where nothing asks for it.</summary>
    private double[] DoubtedSquares(IEnumerable<int> taken) => model.Doubt is null ? [] : Squares(taken);

    private static void AddSquares(double[] squares, double[] row, double factor)
    {
        for (int sample = 0; sample < row.Length; sample++)
            squares[sample] += factor * row[sample] * row[sample];
    }

    private static double Weighted(double[] row, double[] weights)
    {
        double square = 0;
        for (int sample = 0; sample < row.Length; sample++)
            square += weights[sample] * row[sample] * row[sample];
        return row.Length == 0 ? 0 : square / row.Length;
    }

    private static double Variance(double[] values)
    {
        double mean = values.Average();
        return values.Average(value => (value - mean) * (value - mean));
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
        if (model.Doubt is { } doubt && (!(doubt.Deviations > 0) || doubt.SquareLosses.Length != samples || !doubt.SquareLosses.All(double.IsFinite) || !(doubt.SquareLosses.Sum() > 0)))
            throw new ArgumentException("Doubt without samples, or with squares of losses that are no numbers.");
    }
}
