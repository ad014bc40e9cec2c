using MixedPrecision.Formats;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Validation;

/// <summary>Plans drawn at random from what a program offers, in the structures that the model was exported with.</summary>
internal static class RandomPlans
{
    /// <summary>Shares of the layers that leave the baseline, in turn.</summary>
    private static readonly double[] Intensities = [0.1, 0.3, 0.6, 1];

    /// <summary>Draws for each plan that is asked for, until it is another one than all before: small models have few.</summary>
    private const int Draws = 8;

    /// <summary>Different plans, each of which changes some layer; none where no layer has a choice. Equal problems and numbers give equal plans.</summary>
    /// <param name="problem">Offers formats for each layer.</param>
    /// <param name="count">At most so many.</param>
    public static IReadOnlyList<IReadOnlyList<Configuration>> Draw(SolverProblem problem, int count)
    {
        var random = new Random(count);
        var plans = new List<IReadOnlyList<Configuration>>();
        var known = new HashSet<string>();
        for (int draw = 0; draw < count * Draws && plans.Count < count; draw++)
        {
            double intensity = Intensities[draw % Intensities.Length];
            Configuration[] plan = [.. problem.Subgraphs.Select(s => Configuration.Exported([.. s.Layers.Select(l => Format(l, random, intensity))]))];
            if (plan.Any(c => c.Changes(NumberFormats.Baseline.Name)) && known.Add(string.Join("; ", plan.AsEnumerable())))
            {
                plans.Add(plan);
            }
        }

        return plans;
    }

    private static string Format(LayerChoices layer, Random random, double intensity)
    {
        string baseline = NumberFormats.Baseline.Name;
        string[] others = [.. layer.Choices.Select(c => c.Format).Where(f => f != baseline)];
        bool isFree = others.Length < layer.Choices.Count;
        return others.Length == 0 || (isFree && random.NextDouble() >= intensity) ? baseline : others[random.Next(others.Length)];
    }
}
