using MixedPrecision.Benchmarking;
using MixedPrecision.Calibration;
using MixedPrecision.Partitioning;
using MixedPrecision.Solving;

namespace MixedPrecision.Pipeline;

/// <summary>Which gains are worth a loss (<see cref="MinimumGain"/>).</summary>
/// <param name="Share">The policy's least share.</param>
/// <param name="Total">What the original takes, in the unit of the objective.</param>
/// <param name="Layers">Layers that have a choice.</param>
internal readonly record struct GainFloor(double Share, double Total, int Layers)
{
    /// <summary>Every gain is one.</summary>
    public static readonly GainFloor None = new(0, 0, 1);

    /// <summary>A gain as the program counts it: none where it is too small to matter.</summary>
    public double Count(double gain, int changed) => gain <= 0 || MinimumGain.Counts(gain, Total, changed, Layers, Share) ? gain : 0;
}

/// <summary>Puts sensitivities and gains together into the solver's problem.</summary>
internal static class Problems
{
    public static string Baseline => Formats.NumberFormats.Baseline.Name;

    /// <param name="allowed">By layer, the formats it may take.</param>
    /// <param name="lossBudget">Greatest loss MSE.</param>
    /// <param name="floor">Which gains are worth a loss; those that are not count as none.</param>
    /// <param name="isQuadratic">Whether correlations between layers and the rise of the loss count (design, section 5: P), or the diagonal alone.</param>
    public static SolverProblem Build(
        Partition partition,
        IReadOnlyDictionary<string, LayerOptions> allowed,
        Sensitivities sensitivities,
        Gains gains,
        double lossBudget,
        bool isQuadratic,
        GainFloor floor)
    {
        var byName = sensitivities.Layers.ToDictionary(l => l.Name);
        SubgraphChoices[] subgraphs =
            [.. partition.Subgraphs.Select(subgraph => new SubgraphChoices(
                subgraph.Fingerprint,
                [.. subgraph.Layers.Select((layer, i) => new LayerChoices(layer.Name, [.. ChoicesOf(subgraph, i, allowed[layer.Name], byName[layer.Name], gains, floor)]))],
                [.. gains.Of(subgraph).Where(g => g.Formats.Count(f => f != Baseline) > 1).Select(g => new MeasuredConfiguration(g.Formats, floor.Count(g.Gain.Low, g.Formats.Count(f => f != Baseline))))]))];
        return new SolverProblem(subgraphs, lossBudget, isQuadratic ? Quadratic(subgraphs, byName) : new LossModel.Diagonal());
    }

    /// <summary>Whether two plans of one model give every layer the same format.</summary>
    public static bool Same(IReadOnlyList<IReadOnlyList<string>> a, IReadOnlyList<IReadOnlyList<string>> b) => a.SelectMany(f => f).SequenceEqual(b.SelectMany(f => f));

    /// <summary>The configuration with one layer in a format and the others in the baseline.</summary>
    public static Configuration Alone(Subgraph subgraph, int layer, string format) =>
        new(subgraph, [.. subgraph.Layers.Select((_, i) => i == layer ? format : Baseline)]);

    private static LossModel.Quadratic Quadratic(SubgraphChoices[] subgraphs, Dictionary<string, LayerSensitivity> sensitivities)
    {
        FormatSensitivity?[] choices = [.. subgraphs.SelectMany(s => s.Layers)
            .SelectMany(l => l.Choices.Select(c => sensitivities[l.Name].Formats.GetValueOrDefault(c.Format)))];
        double[][] deltas = [.. choices.Select(c => c?.Deltas ?? [])];
        return new LossModel.Quadratic(deltas, [.. choices.Select(c => c?.Rise ?? 0)], Shrinkage.Estimate([.. deltas.Where(d => d.Length > 0)]));
    }

    private static IEnumerable<FormatChoice> ChoicesOf(Subgraph subgraph, int layer, LayerOptions options, LayerSensitivity sensitivity, Gains gains, GainFloor floor)
    {
        foreach (string format in options.Formats)
        {
            Gain? gain = gains.Find(Alone(subgraph, layer, format));
            if (format == Baseline)
            {
                yield return new FormatChoice(format, 0, 0);
            }
            else if (options.Pinned is not null || gain is not null)
            {
                yield return new FormatChoice(format, sensitivity.Formats.GetValueOrDefault(format)?.Measured ?? 0, floor.Count(gain?.Low ?? 0, 1));
            }
        }
    }
}
