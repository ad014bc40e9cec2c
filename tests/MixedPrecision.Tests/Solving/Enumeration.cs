using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Solving;

/// <summary>Solves small problems by trying every plan, written from the definitions and without anything of the solver.</summary>
internal static class Enumeration
{
    /// <summary>Every plan with its gain and its loss MSE.</summary>
    public static List<(Configuration[] Configurations, double Gain, double Loss, double Diagonal)> All(SolverProblem problem)
    {
        LayerChoices[] layers = [.. problem.Subgraphs.SelectMany(subgraph => subgraph.Layers)];
        var plans = new List<(Configuration[], double, double, double)>();
        int[] plan = new int[layers.Length];
        do
        {
            if (!IsAllowed(problem, layers, plan))
                continue;
            (double loss, double diagonal) = (Loss(problem, layers, plan), Diagonal(problem, layers, plan));
            double following = problem.Consequences.Where(c => !IsAny(layers, plan, c)).Sum(c => c.Gain);
            foreach ((Configuration[] configurations, double gain) in Structured(problem, plan))
                plans.Add((configurations, gain + following, loss, diagonal));
        }
        while (Next(plan, layers));
        return plans;
    }

    /// <summary>Greatest gain within a budget; null when no plan is within it.</summary>
    public static double? GreatestGain(SolverProblem problem, double budget) =>
        All(problem).Where(plan => plan.Loss <= budget).Select(plan => (double?)plan.Gain).DefaultIfEmpty(null).Max();

    /// <summary>Whether a plan is small enough, and layers that share a format have one.</summary>
    private static bool IsAllowed(SolverProblem problem, LayerChoices[] layers, int[] plan)
    {
        long bytes = layers.Select((layer, index) => layer.Choices[plan[index]].Bytes).Sum() + problem.Consequences.Where(c => IsAny(layers, plan, c)).Sum(c => c.Bytes);
        return bytes <= (problem.MostBytes ?? long.MaxValue)
            && problem.SharedFormats.All(group => layers.Select((layer, index) => (layer.Name, layer.Choices[plan[index]].Format)).Where(l => group.Contains(l.Name)).Select(l => l.Format).Distinct().Count() == 1);
    }

    private static bool IsAny(LayerChoices[] layers, int[] plan, Consequence consequence) =>
        layers.Where((layer, index) => consequence.Choices.Contains(new LayerChoice(layer.Name, layer.Choices[plan[index]].Format))).Any();

    private static bool Next(int[] plan, LayerChoices[] layers)
    {
        for (int layer = 0; layer < plan.Length; layer++)
        {
            if (++plan[layer] < layers[layer].Choices.Count)
                return true;
            plan[layer] = 0;
        }

        return false;
    }

    /// <summary>The plan with every combination of structures that its formats allow, and the gains.</summary>
    private static IEnumerable<(Configuration[] Configurations, double Gain)> Structured(SolverProblem problem, int[] plan)
    {
        int layer = 0;
        IEnumerable<(Configuration[] Configurations, double Gain)> all = [([], 0)];
        foreach (SubgraphChoices subgraph in problem.Subgraphs)
        {
            FormatChoice[] taken = [.. subgraph.Layers.Select(own => own.Choices[plan[layer++]])];
            string[] formats = [.. taken.Select(choice => choice.Format)];
            StructureChoice exported = new("exported", 0, [.. formats.Select(_ => (string?)null)]);
            (Configuration, double)[] own = [.. subgraph.Structures.Prepend(exported)
                .Where(structure => structure.Fixed.Zip(formats).All(pair => pair.First is null || pair.First == pair.Second))
                .Select(structure => (
                    new Configuration(structure.Name, formats),
                    subgraph.Measured.FirstOrDefault(m => m.Structure == structure.Name && m.Formats.SequenceEqual(formats))?.Gain
                        ?? taken.Sum(choice => choice.Gain) + structure.Gain))];
            all = [.. all.SelectMany(before => own.Select(o => ((Configuration[])[.. before.Configurations, o.Item1], before.Gain + o.Item2)))];
        }

        return all;
    }

    private static double Diagonal(SolverProblem problem, LayerChoices[] layers, int[] plan) =>
        layers.Select((layer, index) => layer.Choices[plan[index]].Loss).Sum() + problem.Consequences.Where(c => IsAny(layers, plan, c)).Sum(c => c.Loss);

    private static double Loss(SolverProblem problem, LayerChoices[] layers, int[] plan)
    {
        if (problem.Loss is not LossModel.Quadratic model)
            return Diagonal(problem, layers, plan);
        int[] rows = new int[plan.Length];
        for (int layer = 0, first = 0; layer < plan.Length; first += layers[layer++].Choices.Count)
            rows[layer] = first + plan[layer];
        Consequence[] following = [.. problem.Consequences.Where(c => IsAny(layers, plan, c))];
        double[][] deltas = [.. rows.Select(row => model.Deltas[row]), .. following.Select(c => c.Deltas)];
        int samples = Math.Max(1, model.Deltas.Max(row => row.Length));
        double full = Enumerable.Range(0, samples).Sum(sample => Square(deltas.Sum(row => Delta(row, sample)))) / samples;
        double diagonal = deltas.Sum(row => Enumerable.Range(0, samples).Sum(sample => Square(Delta(row, sample))) / samples);
        return (1 - model.Shrinkage) * full + model.Shrinkage * diagonal + Square(rows.Sum(row => model.Rises[row]) + following.Sum(c => c.Rise));
    }

    private static double Delta(double[] row, int sample) => row.Length == 0 ? 0 : row[sample];

    private static double Square(double value) => value * value;
}
