using MixedPrecision.Calibration;
using MixedPrecision.Partitioning;
using MixedPrecision.Solving;

namespace MixedPrecision.Pipeline;

/// <summary>What a configuration of a sub-graph gains, in the unit of the objective.</summary>
/// <param name="Low">Lower end of the interval: what the program counts.</param>
/// <param name="Centre">Best estimate.</param>
/// <param name="High">Upper end of the interval.</param>
internal readonly record struct Gain(double Low, double Centre, double High)
{
    public static readonly Gain None = new(0, 0, 0);
}

/// <summary>Known gains by sub-graph and configuration (formats of its layers in order); a configuration that cannot run has none.</summary>
internal sealed class GainTable
{
    private readonly Dictionary<(int Subgraph, string Configuration), Gain?> gains = [];

    public void Set(int subgraph, IReadOnlyList<string> formats, Gain? gain) => gains[(subgraph, string.Join(' ', formats))] = gain;

    public bool Knows(int subgraph, IReadOnlyList<string> formats) => gains.ContainsKey((subgraph, string.Join(' ', formats)));

    /// <summary>The gain of a configuration that was measured and runs, else null.</summary>
    public Gain? Find(int subgraph, IReadOnlyList<string> formats) => gains.GetValueOrDefault((subgraph, string.Join(' ', formats)));

    /// <summary>The configurations of one sub-graph, in a fixed order.</summary>
    public IEnumerable<(IReadOnlyList<string> Formats, Gain? Gain)> Of(int subgraph) => gains
        .Where(g => g.Key.Subgraph == subgraph)
        .OrderBy(g => g.Key.Configuration, StringComparer.Ordinal)
        .Select(g => ((IReadOnlyList<string>)g.Key.Configuration.Split(' '), g.Value));
}

/// <summary>Puts sensitivities and gains together into the solver's problem.</summary>
internal static class Problems
{
    /// <param name="allowed">By layer, the formats it may take.</param>
    /// <param name="lossBudget">Greatest loss MSE.</param>
    /// <param name="isQuadratic">Whether correlations between layers and the rise of the loss count (design, section 5: P), or the diagonal alone.</param>
    public static SolverProblem Build(
        Partition partition,
        IReadOnlyDictionary<string, LayerOptions> allowed,
        Sensitivities sensitivities,
        GainTable gains,
        double lossBudget,
        bool isQuadratic)
    {
        var byName = sensitivities.Layers.ToDictionary(l => l.Name);
        SubgraphChoices[] subgraphs =
            [.. partition.Subgraphs.Select(subgraph => new SubgraphChoices(
                subgraph.Fingerprint,
                [.. subgraph.Layers.Select((layer, i) => new LayerChoices(layer.Name, LayerChoicesOf(subgraph, i, allowed[layer.Name], byName[layer.Name], gains)))],
                [.. gains.Of(subgraph.Index).Where(g => g.Gain is not null && g.Formats.Count(f => f != Baseline) > 1)
                    .Select(g => new MeasuredConfiguration(g.Formats, g.Gain!.Value.Low))]))];
        return new SolverProblem(subgraphs, lossBudget, isQuadratic ? Quadratic(subgraphs, byName) : new LossModel.Diagonal());
    }

    private static LossModel.Quadratic Quadratic(SubgraphChoices[] subgraphs, Dictionary<string, LayerSensitivity> sensitivities)
    {
        Calibration.FormatSensitivity?[] choices = [.. subgraphs.SelectMany(s => s.Layers)
            .SelectMany(l => l.Choices.Select(c => sensitivities[l.Name].Formats.GetValueOrDefault(c.Format)))];
        double[][] deltas = [.. choices.Select(c => c?.Deltas ?? [])];
        return new LossModel.Quadratic(deltas, [.. choices.Select(c => c?.Rise ?? 0)], Shrinkage.Estimate([.. deltas.Where(d => d.Length > 0)]));
    }

    public static string Baseline => Formats.NumberFormats.Baseline.Name;

    /// <summary>The configuration with one layer in a format and the others in the baseline.</summary>
    public static IReadOnlyList<string> Alone(Subgraph subgraph, int layer, string format) =>
        [.. subgraph.Layers.Select((_, i) => i == layer ? format : Baseline)];

    private static List<FormatChoice> LayerChoicesOf(Subgraph subgraph, int layer, LayerOptions options, LayerSensitivity sensitivity, GainTable gains)
    {
        var choices = new List<FormatChoice>();
        foreach (string format in options.Formats)
        {
            if (format == Baseline)
            {
                choices.Add(new FormatChoice(format, 0, 0));
            }
            else if (options.Pinned is not null || (sensitivity.Reachable && gains.Find(subgraph.Index, Alone(subgraph, layer, format)) is not null))
            {
                double gain = gains.Find(subgraph.Index, Alone(subgraph, layer, format))?.Low ?? 0;
                choices.Add(new FormatChoice(format, sensitivity.Formats.TryGetValue(format, out Calibration.FormatSensitivity? s) ? s.Measured : 0, gain));
            }
        }

        return choices;
    }
}
