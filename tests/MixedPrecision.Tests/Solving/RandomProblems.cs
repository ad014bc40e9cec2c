using CsCheck;
using MixedPrecision.Solving;

namespace MixedPrecision.Tests.Solving;

/// <summary>Random problems: losses over many orders of magnitude, gains and measured corrections of both signs, ties, pins.</summary>
internal static class RandomProblems
{
    private static readonly string[] Names = ["fp32", "int8-dynamic", "int4-weight", "fp16", "bf16", "int8-weight"];

    public static readonly Gen<SolverProblem> Diagonal = Gen.Int[0, int.MaxValue - 1].Select(seed => Make(seed, quadratic: false));

    public static readonly Gen<SolverProblem> Quadratic = Gen.Int[0, int.MaxValue - 1].Select(seed => Make(seed, quadratic: true));

    public static readonly Gen<SolverProblem> Structured = Gen.Int[0, int.MaxValue - 1].Select(seed => Make(seed, quadratic: seed % 2 == 0, structures: true));

    public static readonly Gen<SolverProblem> Connected = Gen.Int[0, int.MaxValue - 1].Select(seed => MakeConsequences(new Random(seed), Make(seed, quadratic: seed % 2 == 0, structures: true)));

    public static readonly Gen<SolverProblem> Constrained = Gen.Int[0, int.MaxValue - 1].Select(seed => MakeConstrained(new Random(seed), MakeConsequences(new Random(seed), Make(seed, quadratic: seed % 2 == 0, structures: true))));

    public static SolverProblem Make(int seed, bool quadratic, bool structures = false)
    {
        var random = new Random(seed);
        SolverProblem problem = MakeDiagonal(random);
        problem = structures ? problem with { Subgraphs = [.. problem.Subgraphs.Select(subgraph => MakeStructures(random, subgraph))] } : problem;
        return quadratic ? MakeQuadratic(random, problem) : problem;
    }

    /// <summary>Up to four consequences of choices of some layers, wherever they stand, of which some are not on offer: gains of both signs, and losses.</summary>
    private static SolverProblem MakeConsequences(Random random, SolverProblem problem)
    {
        string[] layers = [.. problem.Subgraphs.SelectMany(subgraph => subgraph.Layers).Select(layer => layer.Name)];
        int samples = problem.Loss is LossModel.Quadratic model ? model.Deltas.Max(row => row.Length) : 0;
        return problem with
        {
            Consequences = [.. Enumerable.Range(0, random.Next(1, 5)).Select(index =>
            {
                double loss = random.Next(2) == 0 ? 0 : problem.LossBudget * random.NextDouble();
                return new Consequence($"consequence {index}", [.. random.GetItems(layers, random.Next(1, 5)).Select(layer => new LayerChoice(layer, Names[random.Next(4)])).Distinct()], random.NextDouble() * 6 - 2)
                {
                    Loss = loss,
                    Deltas = loss == 0 ? [] : [.. Enumerable.Range(0, samples).Select(_ => Math.Sqrt(loss) * (random.NextDouble() * 2 - 1))],
                    Rise = samples == 0 ? 0 : 0.1 * Math.Sqrt(loss) * random.NextDouble(),
                };
            })],
        };
    }

    /// <summary>A limit of the size that binds more or less, bytes of choices and consequences, and up to two groups of layers that share a format; some layers are left without their baseline.</summary>
    private static SolverProblem MakeConstrained(Random random, SolverProblem problem)
    {
        SubgraphChoices[] subgraphs = [.. problem.Subgraphs.Select(subgraph => subgraph with
        {
            Layers = [.. subgraph.Layers.Select(layer => layer with { Choices = [.. layer.Choices.Select(choice => choice with { Bytes = random.Next(-200, 1000) })] })],
        })];
        Consequence[] consequences = [.. problem.Consequences.Select(consequence => consequence with { Bytes = random.Next(2) * random.Next(500) })];
        LayerChoices[] layers = [.. subgraphs.SelectMany(subgraph => subgraph.Layers)];
        random.Shuffle(layers);
        int first = random.Next(layers.Length + 1), second = random.Next(first, layers.Length + 1);
        string[][] groups = [.. new[] { layers[..first], layers[first..second] }
            .Where(group => group.Length > 0 && group[0].Choices.Any(choice => group.All(layer => layer.Choices.Any(other => other.Format == choice.Format))))
            .Select(group => group.Select(layer => layer.Name).ToArray())];
        long least = layers.Sum(layer => layer.Choices.Min(choice => choice.Bytes)), most = layers.Sum(layer => layer.Choices.Max(choice => choice.Bytes)) + consequences.Sum(consequence => consequence.Bytes);
        return problem with
        {
            Subgraphs = subgraphs,
            Consequences = consequences,
            SharedFormats = groups,
            MostBytes = random.Next(4) == 0 ? null : least + (long)((most - least) * random.NextDouble()) - 50,
        };
    }

    private static SolverProblem MakeDiagonal(Random random)
    {
        SubgraphChoices[] subgraphs = [.. Enumerable.Range(0, random.Next(1, 5))
            .Select(index => MakeSubgraph(random, index, random.Next(1, 4), 3))];
        double sum = subgraphs.SelectMany(subgraph => subgraph.Layers).Sum(layer => layer.Choices.Max(choice => choice.Loss));
        return new SolverProblem(subgraphs, sum * random.NextDouble() * random.NextDouble(), new LossModel.Diagonal());
    }

    public static SubgraphChoices MakeSubgraph(Random random, int index, int layerCount, int formatCount, bool pins = true)
    {
        LayerChoices[] layers = [.. Enumerable.Range(0, layerCount)
            .Select(layer => MakeLayer(random, $"s{index}/l{layer}", formatCount, pins))];
        int measuredCount = random.Next(0, 8);
        MeasuredConfiguration[] measured = [.. Enumerable.Range(0, measuredCount)
            .Select(_ => layers.Select(layer => layer.Choices[random.Next(layer.Choices.Count)]).ToArray())
            .DistinctBy(choices => string.Join(',', choices.Select(choice => choice.Format)))
            .Select(choices => new MeasuredConfiguration(
                [.. choices.Select(choice => choice.Format)], choices.Sum(choice => choice.Gain) + random.NextDouble() * 2 - 1))];
        return new SubgraphChoices($"s{index}", layers, measured);
    }

    /// <summary>Up to two structures, each of which fixes some layers, at times to a format that the layer does not offer; some of their configurations are measured.</summary>
    private static SubgraphChoices MakeStructures(Random random, SubgraphChoices subgraph)
    {
        StructureChoice[] structures = [.. Enumerable.Range(0, random.Next(3)).Select(index => new StructureChoice(
            $"structure {index}",
            random.NextDouble() * 3 - 1,
            [.. subgraph.Layers.Select(layer => random.Next(3) > 0 ? null : random.Next(8) == 0 ? "nowhere" : layer.Choices[random.Next(layer.Choices.Count)].Format)]))];
        MeasuredConfiguration[] measured = [.. structures.SelectMany(structure => Enumerable.Range(0, 2).Select(_ => new MeasuredConfiguration(
            [.. subgraph.Layers.Select((layer, i) => structure.Fixed[i] ?? layer.Choices[random.Next(layer.Choices.Count)].Format)],
            random.NextDouble() * 6 - 2,
            structure.Name))).DistinctBy(m => $"{m.Structure} {string.Join(',', m.Formats)}")];
        return subgraph with { Structures = structures, Measured = [.. subgraph.Measured, .. measured] };
    }

    private static LayerChoices MakeLayer(Random random, string name, int formatCount, bool pins)
    {
        bool pinned = pins && random.Next(12) == 0;
        FormatChoice[] choices = [.. Enumerable.Range(0, random.Next(1, formatCount + 1)).Select(format => new FormatChoice(
            Names[format],
            format == 0 && !pinned ? 0 : Math.Pow(10, -4 * random.NextDouble()),
            format == 0 ? 0 : random.Next(4) == 0 ? random.Next(-1, 3) : random.NextDouble() * 3 - 0.5))];
        return new LayerChoices(name, choices);
    }

    /// <summary>
    /// The same problem with changes per sample of which a part is common to all choices, so that P has correlations of both signs.
    /// </summary>
    public static SolverProblem MakeQuadratic(Random random, SolverProblem problem, int samples = 12)
    {
        FormatChoice[] choices = [.. problem.Subgraphs.SelectMany(subgraph => subgraph.Layers).SelectMany(layer => layer.Choices)];
        double[] common = [.. Enumerable.Range(0, samples).Select(_ => random.NextDouble() * 2 - 1)];
        double share = random.NextDouble();
        var rows = new List<double[]>();
        var rises = new List<double>();
        foreach (FormatChoice choice in choices)
        {
            double weight = random.Next(3) == 0 ? -share : share;
            double[] row = choice.Loss == 0
                ? []
                : [.. common.Select(value => weight * value + (1 - share) * (random.NextDouble() * 2 - 1))];
            double norm = Math.Sqrt(row.Sum(value => value * value) / samples / Math.Max(choice.Loss, double.Epsilon));
            rows.Add([.. row.Select(value => value / norm)]);
            rises.Add(choice.Loss == 0 ? 0 : random.NextDouble() * 0.3 * Math.Sqrt(choice.Loss));
        }

        return problem with { Loss = new LossModel.Quadratic(rows, rises, random.Next(3) * 0.3) };
    }
}
