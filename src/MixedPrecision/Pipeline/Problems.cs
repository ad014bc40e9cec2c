using MixedPrecision.Benchmarking;
using MixedPrecision.Calibration;
using MixedPrecision.Partitioning;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>Which gains are worth a loss (<see cref="MinimumGain"/>).</summary>
/// <param name="Share">The policy's least share.</param>
/// <param name="Total">What the original takes, in the unit of the objective.</param>
/// <param name="Layers">Layers that have a choice.</param>
internal sealed record GainFloor(double Share, double Total, int Layers)
{
    /// <summary>Every gain is one.</summary>
    public static readonly GainFloor None = new(0, 0, 1);

    /// <summary>A gain as the program counts it: none where it is too small to matter.</summary>
    /// <param name="changed">Layers that leave the baseline for it.</param>
    public double Count(double gain, int changed) => gain <= 0 || MinimumGain.Counts(gain, Total, Math.Max(1, changed), Layers, Share) ? gain : 0;
}

/// <summary>How configurations count that were not measured as a whole.</summary>
internal enum Unmeasured
{
    /// <summary>At what their parts gain at least: what a plan may stand on until it is measured.</summary>
    Cautious,

    /// <summary>At what the measured ones allow at most: a plan that is best even so cannot be beaten by any that was not measured.</summary>
    Optimistic,
}

/// <summary>Puts sensitivities and gains together into the solver's problem.</summary>
internal static class Problems
{
    public static string Baseline => Formats.NumberFormats.Baseline.Name;

    /// <summary>Tells plans apart.</summary>
    public static string KeyOf(IReadOnlyList<Configuration> plan) => string.Join("; ", plan);

    /// <param name="input">What there is to choose.</param>
    /// <param name="lossBudget">Greatest loss MSE.</param>
    /// <param name="isQuadratic">Whether correlations between layers and the rise of the loss count (design, section 5: P), or the diagonal alone.</param>
    public static SolverProblem Build(PlanningInput input, Gains gains, double lossBudget, bool isQuadratic, Unmeasured unmeasured)
    {
        var byName = input.Sensitivities.Layers.ToDictionary(l => l.Name);
        GainBounds[] allBounds = [.. input.Partition.Subgraphs.Select(subgraph => new GainBounds(subgraph, gains, input.Floor, unmeasured, input.IsClosed))];
        Dictionary<string, IReadOnlyList<string>> offered = Offered(input, allBounds);
        SubgraphChoices[] subgraphs = [.. input.Partition.Subgraphs.Select(subgraph =>
        {
            GainBounds bounds = allBounds[subgraph.Index];
            LayerChoices[] layers = [.. subgraph.Layers.Select((layer, i) => new LayerChoices(layer.Name, [.. offered[layer.Name].Select(format => new FormatChoice(
                format, byName[layer.Name].Formats.GetValueOrDefault(format)?.Measured ?? 0, bounds.Of(i, format))
            {
                Bytes = input.Size?.Own.GetValueOrDefault(new LayerChoice(layer.Name, format)) ?? 0,
            })]))];
            return new SubgraphChoices(subgraph.Fingerprint, layers, bounds.Measured) { Structures = [.. input.Structures(subgraph).Select(s => bounds.Of(s)).OfType<StructureChoice>()] };
        })];
        Consequence[] held = [.. input.Sensitivities.Held.Select(h => Rounded(h, input.Allowed))];
        return new SolverProblem(subgraphs, lossBudget, isQuadratic ? Quadratic(input, subgraphs, byName, held) : new LossModel.Diagonal())
        {
            Consequences = [.. gains.Consequences, .. held, .. input.Size?.Together ?? []],
            MostBytes = input.Size?.MostOfChoices,
            SharedFormats = input.SharedFormats,
        };
    }

    /// <summary>The configuration with one layer in a format and the others in the baseline.</summary>
    public static SubgraphConfiguration Alone(Subgraph subgraph, int layer, string format) =>
        new(subgraph, Configuration.Exported([.. subgraph.Layers.Select((_, i) => i == layer ? format : Baseline)]));

    /// <summary>A value is rounded as soon as a layer that computes or reads it holds it so.</summary>
    private static Consequence Rounded(HeldValue held, IReadOnlyDictionary<string, LayerOptions> allowed) => new(
        held.Value,
        [.. held.Layers.SelectMany(layer => allowed[layer].Formats.Where(f => Formats.NumberFormats.Get(f).ReadsRanges).Select(f => new LayerChoice(layer, f)))],
        Gain: 0)
    {
        Loss = held.Rounding.Measured,
        Deltas = held.Rounding.Deltas,
        Rise = held.Rounding.Rise,
    };

    private static LossModel.Quadratic Quadratic(PlanningInput input, SubgraphChoices[] subgraphs, Dictionary<string, LayerSensitivity> sensitivities, Consequence[] held)
    {
        string offered = string.Join('\n', subgraphs.SelectMany(s => s.Layers).Select(l => string.Join(' ', l.Choices.Select(c => c.Format).Prepend(l.Name))));
        if (!input.Losses.TryGetValue(offered, out LossModel.Quadratic? found))
        {
            input.Losses[offered] = found = Quadratic(subgraphs, sensitivities, held) with { Doubt = input.Doubt };
        }

        return found;
    }

    private static LossModel.Quadratic Quadratic(SubgraphChoices[] subgraphs, Dictionary<string, LayerSensitivity> sensitivities, Consequence[] held)
    {
        FormatSensitivity?[] choices = [.. subgraphs.SelectMany(s => s.Layers)
            .SelectMany(l => l.Choices.Select(c => sensitivities[l.Name].Formats.GetValueOrDefault(c.Format)))];
        double[][] deltas = [.. choices.Select(c => c?.Deltas ?? [])];
        return new LossModel.Quadratic(deltas, [.. choices.Select(c => c?.Rise ?? 0)], Shrinkage.Estimate([.. deltas.Concat(held.Select(h => h.Deltas)).Where(d => d.Length > 0)]));
    }

    /// <summary>What layers may take that rules keep from the baseline: formats that they were measured to run in, as far as there are.</summary>
    public static PlanningInput Running(PlanningInput input, Gains gains)
    {
        Dictionary<string, IReadOnlyList<string>> offered = Offered(input, [.. input.Partition.Subgraphs.Select(subgraph => new GainBounds(subgraph, gains, input.Floor, Unmeasured.Cautious))]);
        return input with { Allowed = input.Allowed.ToDictionary(a => a.Key, a => a.Value.Formats.Contains(Baseline) ? a.Value : a.Value with { Formats = offered[a.Key] }) };
    }

    /// <summary>By layer the formats that it may take and was measured to run in; where rules leave none of these, all that it may take. Layers that share a format have those that all of them run in.</summary>
    private static Dictionary<string, IReadOnlyList<string>> Offered(PlanningInput input, GainBounds[] bounds)
    {
        var offered = input.Partition.Subgraphs.SelectMany(s => s.Layers.Select((layer, i) => (layer.Name, Running: Running(bounds[s.Index], i, input.Allowed[layer.Name].Formats)))).ToDictionary(l => l.Name, l => l.Running);
        foreach (IReadOnlyList<string> group in input.SharedFormats)
        {
            string[] common = [.. group.Select(layer => offered[layer].AsEnumerable()).Aggregate(Enumerable.Intersect)];
            foreach (string layer in group)
            {
                offered[layer] = common.Length > 0 ? common : input.Allowed[layer].Formats;
            }
        }

        return offered;
    }

    private static IReadOnlyList<string> Running(GainBounds bounds, int layer, IReadOnlyList<string> formats) =>
        formats.Where(format => format == Baseline || bounds.Runs(layer, format)).ToArray() is { Length: > 0 } running ? running : formats;
}
