using MixedPrecision.Structures;

namespace MixedPrecision.Solving;

/// <summary>
/// The problem laid out flat: decisions of all sub-graphs in order – the layers of each, then its structure where there are several –, behind them the consequences, each with the choices "none" and "any"; choices of all
/// decisions in order. A plan is an array with the index of the choice, within its decision, for each decision. Plans here are consistent: layers have the formats that the structures fix, and consequences follow.
/// </summary>
internal sealed class ChoiceTable
{
    private readonly ILookup<int, int> consequencesOf;

    public ChoiceTable(SolverProblem problem)
    {
        Problem = problem;
        IReadOnlyList<LayerChoices>[] decisions = [.. problem.Subgraphs.Select(subgraph => subgraph.Decisions)];
        Layers = [.. decisions.SelectMany(own => own), .. problem.Consequences.Select(c => new LayerChoices(c.Name, [new FormatChoice("none", 0, c.Gain), new FormatChoice("any", c.Loss, 0) { Bytes = c.Bytes }]))];
        Choices = [.. Layers.SelectMany(layer => layer.Choices)];
        FirstChoice = new int[Layers.Length + 1];
        for (int layer = 0; layer < Layers.Length; layer++)
            FirstChoice[layer + 1] = FirstChoice[layer] + Layers[layer].Choices.Count;
        FirstLayer = new int[problem.Subgraphs.Count + 1];
        for (int subgraph = 0; subgraph < problem.Subgraphs.Count; subgraph++)
            FirstLayer[subgraph + 1] = FirstLayer[subgraph] + decisions[subgraph].Count;
        SubgraphOf = [.. decisions.SelectMany((own, subgraph) => own.Select(_ => subgraph))];
        Structures = [.. problem.Subgraphs.Select(FindStructures)];
        Measured = [.. problem.Subgraphs.Select(FindMeasured)];
        Shared = new SharedFormats(problem.SharedFormats, Layers, FirstChoice, FirstConsequence);
        Consequences = [.. problem.Consequences.Select(FindChoices)];
        consequencesOf = Enumerable.Range(0, Consequences.Length).SelectMany(c => Consequences[c].Select(choice => (choice, c))).ToLookup(c => c.choice, c => c.c);
        Check();
    }

    public SolverProblem Problem { get; private set; }

    /// <summary>The decisions: layers, and structures where there are several.</summary>
    public LayerChoices[] Layers { get; }

    public FormatChoice[] Choices { get; }

    /// <summary>Index of the first choice of each decision, and the number of choices behind the last.</summary>
    public int[] FirstChoice { get; }

    /// <summary>Index of the first decision of each sub-graph, and behind the last that of the first consequence.</summary>
    public int[] FirstLayer { get; }

    /// <summary>The sub-graph of each decision that is no consequence.</summary>
    public int[] SubgraphOf { get; }

    /// <summary>Per sub-graph, the measured configurations that are on offer, as choices of its decisions.</summary>
    public IReadOnlyList<(int[] Plan, double Gain)>[] Measured { get; }

    /// <summary>Of each consequence the choices (flat indices) that it follows from.</summary>
    public int[][] Consequences { get; }

    /// <summary>The layers that carry one format.</summary>
    public SharedFormats Shared { get; }

    /// <summary>Index of the first decision that is a consequence.</summary>
    public int FirstConsequence => FirstLayer[^1];

    /// <summary>Per sub-graph that has several structures, by structure the choice of each layer that it fixes, or −1; empty for others. The first is the exported one, which fixes none.</summary>
    public IReadOnlyList<int[]>[] Structures { get; }

    /// <summary>Pairs of flat choices: a structure, and what it requires of a layer.</summary>
    public IEnumerable<(int Structure, int Required)> Requirements => Enumerable.Range(0, Structures.Length).SelectMany(subgraph =>
        Structures[subgraph].SelectMany((layers, structure) => layers.Select((choice, layer) => (choice, layer)).Where(l => l.choice >= 0)
            .Select(l => (FirstChoice[FirstLayer[subgraph + 1] - 1] + structure, FirstChoice[FirstLayer[subgraph] + l.layer] + l.choice))));

    /// <summary>Indices into <see cref="Choices"/> of what a plan takes, one per decision.</summary>
    public IEnumerable<int> Taken(int[] plan) => plan.Select((choice, layer) => FirstChoice[layer] + choice);

    /// <summary>The choice of least loss per layer; of equal ones that of greatest gain, then the first.</summary>
    public int[] LeastLoss() => Best(choice => (-choice.Loss, choice.Gain));

    /// <summary>The choice of greatest gain per layer; of equal ones that of least loss, then the first.</summary>
    public int[] GreatestGain() => Best(choice => (choice.Gain, -choice.Loss));

    /// <summary>The plan with shared formats (<see cref="Share"/>) and the structures of greatest gain that its formats allow.</summary>
    public int[] Consistent(int[] plan)
    {
        int[] consistent = Share(plan);
        for (int subgraph = 0; subgraph < Structures.Length; subgraph++)
            Settle(subgraph, consistent);
        Follow(consistent);
        return consistent;
    }

    /// <summary>The plan where layers that are to share a format, and do not, get that of least loss.</summary>
    public int[] Share(int[] plan)
    {
        int[] shared = [.. plan];
        foreach (SharedGroup group in Shared.Groups)
        {
            if (!group.Options.Any(option => group.Members.Zip(option).All(m => FirstChoice[m.First] + plan[m.First] == m.Second)))
                Set(shared, group, BestOption(group, choice => (-choice.Loss, choice.Gain)));
        }

        Follow(shared);
        return shared;
    }

    /// <summary>The plan with the choice of a layer replaced, in those that share its format too, and with the best structures that are left.</summary>
    public int[] Exchange(int[] plan, int layer, int choice)
    {
        int[] next = [.. plan];
        next[layer] = choice;
        foreach ((int member, int flat) in Shared.With(FirstChoice[layer] + choice) ?? [])
        {
            next[member] = flat - FirstChoice[member];
            Settle(SubgraphOf[member], next);
        }

        Settle(SubgraphOf[layer], next);
        Follow(next);
        return next;
    }

    /// <summary>The flat choices that an exchange replaces, and with what: those of layers that share the format too.</summary>
    /// <param name="taken">What the plan takes, by decision.</param>
    public IReadOnlyList<(int Old, int New)> Exchanges(int[] taken, int layer, int choice) =>
        Shared.With(choice) is { } all ? [.. all.Select(m => (taken[m.Member], m.Choice))] : [(taken[layer], choice)];

    /// <summary>
    /// All combinations of formats of a sub-graph's layers, each with the structure of greatest gain that it allows, as flat choices; none when they are more than a number.
    /// </summary>
    public IEnumerable<IReadOnlyList<int>> Combinations(int subgraph, int most)
    {
        (int first, int end) = (FirstLayer[subgraph], FirstLayer[subgraph + 1]);
        int layers = Structures[subgraph].Count > 0 ? end - 1 : end;
        if (Enumerable.Range(first, layers - first).Aggregate(1.0, (product, layer) => product * Layers[layer].Choices.Count) > most)
            yield break;
        int[] plan = new int[Layers.Length];
        while (true)
        {
            if (Shared.Groups.All(group => MayShare(group, plan, first, end)))
            {
                Settle(subgraph, plan);
                yield return [.. Enumerable.Range(first, end - first).Select(layer => FirstChoice[layer] + plan[layer])];
            }

            int next = first;
            while (next < layers && ++plan[next] == Layers[next].Choices.Count)
                plan[next++] = 0;
            if (next == layers)
                yield break;
        }
    }

    /// <summary>The same problem with another budget.</summary>
    public ChoiceTable At(double lossBudget)
    {
        var other = (ChoiceTable)MemberwiseClone();
        other.Problem = Problem with { LossBudget = lossBudget };
        other.CheckBudget();
        return other;
    }

    /// <summary>Whether a decision is one among structures.</summary>
    public bool IsStructure(int layer) => !IsConsequence(layer) && Structures[SubgraphOf[layer]].Count > 0 && layer == FirstLayer[SubgraphOf[layer] + 1] - 1;

    /// <summary>Whether a decision follows from others.</summary>
    public bool IsConsequence(int layer) => layer >= FirstConsequence;

    /// <summary>Consequences that change when choices are exchanged for others of their layers: those that come to "any", or to "none".</summary>
    /// <param name="taken">What the plan takes, by decision.</param>
    public IEnumerable<int> ChangedBy(int[] taken, IReadOnlyList<(int Old, int New)> exchanges) => exchanges.SelectMany(e => consequencesOf[e.Old].Concat(consequencesOf[e.New])).Distinct().Where(c =>
    {
        bool others = Consequences[c].Any(other => taken.Contains(other) && exchanges.All(e => e.Old != other));
        return !others && exchanges.Any(e => Consequences[c].Contains(e.Old)) != exchanges.Any(e => Consequences[c].Contains(e.New));
    });

    /// <summary>Bytes of what a plan takes.</summary>
    public long Bytes(int[] plan) => Taken(plan).Sum(choice => Choices[choice].Bytes);

    /// <summary>Whether a plan is small enough.</summary>
    public bool Fits(int[] plan) => Problem.MostBytes is not { } most || Bytes(plan) <= most;

    public double Gain(int[] plan) => Enumerable.Range(0, Measured.Length).Sum(subgraph => SubgraphGain(subgraph, plan))
        + Enumerable.Range(FirstConsequence, Consequences.Length).Sum(layer => Layers[layer].Choices[plan[layer]].Gain);

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

    public IReadOnlyList<Configuration> Configurations(int[] plan) => [.. Problem.Subgraphs.Select((subgraph, index) =>
    {
        int first = FirstLayer[index], last = FirstLayer[index + 1] - 1;
        return new Configuration(
            Structures[index].Count == 0 ? Structure.Exported : Layers[last].Choices[plan[last]].Format,
            [.. Enumerable.Range(first, subgraph.Layers.Count).Select(layer => Layers[layer].Choices[plan[layer]].Format)]);
    })];

    /// <summary>The reverse of <see cref="Configurations"/>.</summary>
    public int[] PlanOf(IReadOnlyList<Configuration> configurations)
    {
        int[] plan = [.. configurations.SelectMany((configuration, subgraph) => PlanOf(subgraph, configuration)), .. Consequences.Select(_ => 0)];
        Follow(plan);
        return plan;
    }

    private int[] PlanOf(int subgraph, Configuration configuration)
    {
        int first = FirstLayer[subgraph];
        IEnumerable<int> layers = configuration.Formats.Select((format, layer) => IndexOf(Layers[first + layer], format));
        return Structures[subgraph].Count > 0 ? [.. layers, IndexOf(Layers[FirstLayer[subgraph + 1] - 1], configuration.Structure)]
            : configuration.Structure == Structure.Exported ? [.. layers]
            : [.. layers.Select(_ => -1)];
    }

    /// <summary>Sets the consequences of what is chosen.</summary>
    private void Follow(int[] plan)
    {
        if (Consequences.Length == 0)
            return;
        HashSet<int> taken = [.. Taken(plan).Take(FirstConsequence)];
        for (int consequence = 0; consequence < Consequences.Length; consequence++)
            plan[FirstConsequence + consequence] = Consequences[consequence].Any(taken.Contains) ? 1 : 0;
    }

    /// <summary>Takes the structure of greatest gain that the formats allow.</summary>
    private void Settle(int subgraph, int[] plan)
    {
        if (Structures[subgraph].Count == 0)
            return;
        int first = FirstLayer[subgraph], decision = FirstLayer[subgraph + 1] - 1;
        double best = double.NegativeInfinity;
        int chosen = 0;
        for (int structure = 0; structure < Structures[subgraph].Count; structure++)
        {
            if (Structures[subgraph][structure].Where((choice, layer) => choice >= 0 && plan[first + layer] != choice).Any())
                continue;
            plan[decision] = structure;
            if (SubgraphGain(subgraph, plan) is var gain && gain > best)
                (best, chosen) = (gain, structure);
        }

        plan[decision] = chosen;
    }

    /// <summary>The best choice of each layer, and of layers that share a format the best of those.</summary>
    private int[] Best(Func<FormatChoice, (double, double)> order)
    {
        int[] best = [.. Layers.Select(layer => BestIndex(layer, order))];
        foreach (SharedGroup group in Shared.Groups)
            Set(best, group, BestOption(group, order));
        return Consistent(best);
    }

    private int[] BestOption(SharedGroup group, Func<FormatChoice, (double, double)> order) => group.Options.MaxBy(option =>
        option.Select(choice => order(Choices[choice])).Aggregate((a, b) => (a.Item1 + b.Item1, a.Item2 + b.Item2)))!;

    private void Set(int[] plan, SharedGroup group, int[] option)
    {
        foreach ((int member, int choice) in group.Members.Zip(option))
            plan[member] = choice - FirstChoice[member];
    }

    /// <summary>Whether the members of a group that stand in a range of decisions have one format, which all members offer.</summary>
    private bool MayShare(SharedGroup group, int[] plan, int first, int end) => group.Options.Any(option =>
        group.Members.Zip(option).All(m => m.First < first || m.First >= end || FirstChoice[m.First] + plan[m.First] == m.Second));

    private static int BestIndex(LayerChoices layer, Func<FormatChoice, (double, double)> order) =>
        Enumerable.Range(0, layer.Choices.Count).MaxBy(index => order(layer.Choices[index]));

    private static IReadOnlyList<int[]> FindStructures(SubgraphChoices subgraph) => subgraph.Offered is { Count: > 0 } offered
        ? [[.. subgraph.Layers.Select(_ => -1)], .. offered.Select(s => (int[])[.. s.Fixed.Select((format, layer) => format is null ? -1 : IndexOf(subgraph.Layers[layer], format))])]
        : [];

    private IReadOnlyList<(int[] Plan, double Gain)> FindMeasured(SubgraphChoices subgraph, int index)
    {
        var found = new Dictionary<Configuration, (int[] Plan, double Gain)>();
        foreach (MeasuredConfiguration measured in subgraph.Measured)
        {
            if (measured.Formats.Count != subgraph.Layers.Count)
            {
                throw new ArgumentException(
                    $"A configuration of '{subgraph.Name}' has {measured.Formats.Count} formats for {subgraph.Layers.Count} layers.");
            }

            var configuration = new Configuration(measured.Structure, measured.Formats);
            int[] plan = PlanOf(index, configuration);
            if (plan.Contains(-1))
                continue;
            if (!found.TryAdd(configuration, (plan, measured.Gain)))
                throw new ArgumentException($"Sub-graph '{subgraph.Name}' has a configuration that is measured twice.");
        }

        return [.. found.Values];
    }

    private int[] FindChoices(Consequence consequence) => [.. consequence.Choices
        .Select(choice => (choice.Format, Layer: Array.FindIndex(Layers, 0, FirstConsequence, layer => layer.Name == choice.Layer) is >= 0 and int found
            ? found : throw new ArgumentException($"A consequence names '{choice.Layer}', which is no layer.")))
        .Select(choice => (First: FirstChoice[choice.Layer], Index: IndexOf(Layers[choice.Layer], choice.Format)))
        .Where(choice => choice.Index >= 0).Select(choice => choice.First + choice.Index).Distinct()];

    private static int IndexOf(LayerChoices layer, string format)
    {
        for (int index = 0; index < layer.Choices.Count; index++)
        {
            if (layer.Choices[index].Format == format)
                return index;
        }

        return -1;
    }

    private void CheckBudget()
    {
        if (!(Problem.LossBudget >= 0) || double.IsInfinity(Problem.LossBudget))
            throw new ArgumentException($"A loss budget of {Problem.LossBudget} is none.");
    }

    private void Check()
    {
        CheckBudget();
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
