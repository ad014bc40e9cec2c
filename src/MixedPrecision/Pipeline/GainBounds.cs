using MixedPrecision.Partitioning;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>
/// What configurations of one sub-graph count in the program. Cautiously, those that were measured count at the lower end of their interval, and the others at the sum of the lower ends of their parts: what
/// the structure gains by itself and what each layer gains alone. Optimistically, measured ones count at their best estimate, and the others at those of their parts and, on top, what layers in one format
/// may gain together beyond that, since they share work such as the quantization of a common input: as much as was ever measured of layers together, in equal parts. Of n layers that
/// share work k save (k − 1)/(n − 1) of what n save, which k/n is not below.
/// What cannot run, and what was not measured where only that counts, is as slow as if all of the sub-graph's time and more came on top: no plan takes it unless rules force it to.
/// </summary>
internal sealed class GainBounds
{
    private readonly Subgraph subgraph;
    private readonly Gains gains;
    private readonly GainFloor floor;
    private readonly bool isOptimistic;
    private readonly bool isClosed;
    private readonly double penalty;
    private readonly Dictionary<string, double> shared = [];

    /// <param name="isClosed">Whether only configurations count that were measured as a whole.</param>
    public GainBounds(Subgraph subgraph, Gains gains, GainFloor floor, Unmeasured unmeasured, bool isClosed = false)
    {
        this.isClosed = isClosed;
        penalty = gains.OriginalOf(subgraph).Sum() + (2 * gains.Of(subgraph).Select(g => g.Gain.High).DefaultIfEmpty(0).Max(high => Math.Max(0, high)));
        this.subgraph = subgraph;
        this.gains = gains;
        this.floor = floor;
        isOptimistic = unmeasured == Unmeasured.Optimistic;
        if (isOptimistic)
        {
            FindShared();
        }
    }

    /// <summary>The configurations that were measured and run, and those that are known not to.</summary>
    public IReadOnlyList<MeasuredConfiguration> Measured =>
    [
        .. gains.Of(subgraph)
            .Select(g => new MeasuredConfiguration(g.Configuration.Formats, Count(isOptimistic ? g.Gain.Centre : g.Gain.Low, g.Configuration.Formats), g.Configuration.Structure)),
        .. gains.Unavailable(subgraph).Select(c => new MeasuredConfiguration(c.Formats, -penalty, c.Structure)),
    ];

    /// <summary>Whether a layer was measured to run in a format.</summary>
    public bool Runs(int layer, string format) => Alone(layer, format) is not null;

    /// <summary>What a layer in a format counts in configurations that were not measured.</summary>
    public double Of(int layer, string format) => format == Problems.Baseline ? 0
        : isClosed ? -penalty
        : Alone(layer, format) is not { } gain ? 0
        : floor.Count(isOptimistic ? gain.Centre + shared.GetValueOrDefault(format) : gain.Low, 1);

    /// <summary>A structure that was measured by itself and runs, else null.</summary>
    public StructureChoice? Of(FoundStructure structure)
    {
        Configuration bare = structure.Bare(subgraph, Problems.Baseline);
        if (gains.Find(new SubgraphConfiguration(subgraph, bare)) is not { } gain)
        {
            return null;
        }

        double fixedLayers = bare.Formats.Select((format, layer) => Of(layer, format)).Sum();
        return new StructureChoice(
            structure.Structure.Name,
            Count(isOptimistic ? gain.Centre : gain.Low, bare.Formats) - fixedLayers,
            [.. subgraph.Layers.Select(l => structure.Match.Fixed.GetValueOrDefault(l.Name))]);
    }

    /// <summary>What a configuration counts that was not measured.</summary>
    /// <param name="structure">Its structure; null: as exported.</param>
    public double Of(Configuration configuration, FoundStructure? structure) =>
        configuration.Formats.Select((format, layer) => Of(layer, format)).Sum() + (structure is null ? 0 : Of(structure)?.Gain ?? 0);

    private Gain? Alone(int layer, string format) => gains.Find(Problems.Alone(subgraph, layer, format));

    private double Count(double gain, IReadOnlyList<string> formats) => floor.Count(gain, formats.Count(f => f != Problems.Baseline));

    /// <summary>By format, what each of several layers may gain beyond what it gains alone.</summary>
    private void FindShared()
    {
        foreach ((Configuration configuration, Gain gain) in gains.Of(subgraph).Where(g => g.Configuration.Structure == Structure.Exported))
        {
            int[] changed = [.. Enumerable.Range(0, configuration.Formats.Count).Where(l => configuration.Formats[l] != Problems.Baseline)];
            string[] formats = [.. changed.Select(l => configuration.Formats[l]).Distinct()];
            if (changed.Length > 1 && formats.Length == 1)
            {
                double beyond = gain.Centre - changed.Sum(l => Alone(l, formats[0])?.Centre ?? 0);
                shared[formats[0]] = Math.Max(shared.GetValueOrDefault(formats[0]), beyond / changed.Length);
            }
        }
    }
}
