namespace MixedPrecision.Solving;

/// <summary>
/// The problem laid out flat: layers of all sub-graphs in order, choices of all layers in order. A plan is an array with the index
/// of the choice, within its layer, for each layer.
/// </summary>
internal sealed class ChoiceTable
{
    public ChoiceTable(SolverProblem problem)
    {
        Problem = problem;
        Layers = [.. problem.Subgraphs.SelectMany(subgraph => subgraph.Layers)];
        Choices = [.. Layers.SelectMany(layer => layer.Choices)];
        FirstChoice = new int[Layers.Length + 1];
        for (int layer = 0; layer < Layers.Length; layer++)
            FirstChoice[layer + 1] = FirstChoice[layer] + Layers[layer].Choices.Count;
        FirstLayer = new int[problem.Subgraphs.Count + 1];
        for (int subgraph = 0; subgraph < problem.Subgraphs.Count; subgraph++)
            FirstLayer[subgraph + 1] = FirstLayer[subgraph] + problem.Subgraphs[subgraph].Layers.Count;
        Measured = [.. problem.Subgraphs.Select(FindMeasured)];
        Check();
    }

    public SolverProblem Problem { get; }

    public LayerChoices[] Layers { get; }

    public FormatChoice[] Choices { get; }

    /// <summary>Index of the first choice of each layer, and the number of choices behind the last.</summary>
    public int[] FirstChoice { get; }

    /// <summary>Index of the first layer of each sub-graph, and the number of layers behind the last.</summary>
    public int[] FirstLayer { get; }

    /// <summary>Per sub-graph, the measured configurations that are on offer, as choices of its layers.</summary>
    public IReadOnlyList<(int[] Plan, double Gain)>[] Measured { get; }

    /// <summary>Indices into <see cref="Choices"/> of what a plan takes, one per layer.</summary>
    public IEnumerable<int> Taken(int[] plan) => plan.Select((choice, layer) => FirstChoice[layer] + choice);

    /// <summary>The choice of least loss per layer; of equal ones that of greatest gain, then the first.</summary>
    public int[] LeastLoss() => [.. Layers.Select(layer => BestIndex(layer, choice => (-choice.Loss, choice.Gain)))];

    /// <summary>The choice of greatest gain per layer; of equal ones that of least loss, then the first.</summary>
    public int[] GreatestGain() => [.. Layers.Select(layer => BestIndex(layer, choice => (choice.Gain, -choice.Loss)))];

    public double Gain(int[] plan) => Enumerable.Range(0, Measured.Length).Sum(subgraph => SubgraphGain(subgraph, plan));

    public double SubgraphGain(int subgraph, int[] plan)
    {
        int first = FirstLayer[subgraph];
        ReadOnlySpan<int> own = plan.AsSpan(first, FirstLayer[subgraph + 1] - first);
        foreach ((int[] measured, double gain) in Measured[subgraph])
        {
            if (own.SequenceEqual(measured))
                return gain;
        }

        double sum = 0;
        for (int layer = 0; layer < own.Length; layer++)
            sum += Layers[first + layer].Choices[own[layer]].Gain;
        return sum;
    }

    /// <summary>Σ <see cref="FormatChoice.Loss"/>, the linear diagonal.</summary>
    public double DiagonalLoss(int[] plan) => Taken(plan).Sum(choice => Choices[choice].Loss);

    public IReadOnlyList<IReadOnlyList<string>> Formats(int[] plan) =>
    [
        .. Enumerable.Range(0, Measured.Length).Select(subgraph =>
            (IReadOnlyList<string>)[.. Enumerable.Range(FirstLayer[subgraph], FirstLayer[subgraph + 1] - FirstLayer[subgraph])
                .Select(layer => Layers[layer].Choices[plan[layer]].Format)]),
    ];

    /// <summary>The reverse of <see cref="Formats"/>.</summary>
    public int[] PlanOf(IReadOnlyList<IReadOnlyList<string>> formats) =>
        [.. formats.SelectMany(own => own).Select((format, layer) => IndexOf(Layers[layer], format))];

    private static int BestIndex(LayerChoices layer, Func<FormatChoice, (double, double)> order) =>
        Enumerable.Range(0, layer.Choices.Count).MaxBy(index => order(layer.Choices[index]));

    private static IReadOnlyList<(int[] Plan, double Gain)> FindMeasured(SubgraphChoices subgraph)
    {
        var found = new List<(int[] Plan, double Gain)>();
        foreach (MeasuredConfiguration configuration in subgraph.Measured)
        {
            if (configuration.Formats.Count != subgraph.Layers.Count)
            {
                throw new ArgumentException(
                    $"A configuration of '{subgraph.Name}' has {configuration.Formats.Count} formats for {subgraph.Layers.Count} layers.");
            }

            int[] plan = [.. subgraph.Layers.Select((layer, position) => IndexOf(layer, configuration.Formats[position]))];
            if (plan.Contains(-1))
                continue;
            if (found.Any(other => other.Plan.SequenceEqual(plan)))
                throw new ArgumentException($"Sub-graph '{subgraph.Name}' has a configuration that is measured twice.");
            found.Add((plan, configuration.Gain));
        }

        return found;
    }

    private static int IndexOf(LayerChoices layer, string format)
    {
        for (int index = 0; index < layer.Choices.Count; index++)
        {
            if (layer.Choices[index].Format == format)
                return index;
        }

        return -1;
    }

    private void Check()
    {
        if (!(Problem.LossBudget >= 0) || double.IsInfinity(Problem.LossBudget))
            throw new ArgumentException($"A loss budget of {Problem.LossBudget} is none.");
        foreach (LayerChoices layer in Layers)
        {
            if (layer.Choices.Count == 0 || layer.Choices.DistinctBy(choice => choice.Format).Count() != layer.Choices.Count)
                throw new ArgumentException($"Layer '{layer.Name}' has no choice, or a format twice.");
            if (layer.Choices.Any(choice => !double.IsFinite(choice.Gain) || !double.IsFinite(choice.Loss) || choice.Loss < 0))
                throw new ArgumentException($"Layer '{layer.Name}' has a choice whose loss or gain is no proper number.");
        }

        if (Measured.Any(list => list.Any(measured => !double.IsFinite(measured.Gain))))
            throw new ArgumentException("A measured gain is no proper number.");
    }
}
