using System.Collections.Immutable;
using MixedPrecision.Benchmarking;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>What a configuration of a sub-graph gains, in the unit of the objective.</summary>
/// <param name="Low">Lower end of the interval: what the program counts.</param>
/// <param name="Centre">Best estimate.</param>
/// <param name="High">Upper end of the interval.</param>
internal readonly record struct Gain(double Low, double Centre, double High)
{
    public static readonly Gain None = new(0, 0, 0);

    public static Gain operator +(Gain a, Gain b) => new(a.Low + b.Low, a.Centre + b.Centre, a.High + b.High);
}

/// <summary>A sub-graph in a configuration.</summary>
internal sealed record SubgraphConfiguration(Subgraph Subgraph, Configuration Configuration)
{
    /// <summary>Layers that are not in the baseline.</summary>
    public int Changed => Configuration.Formats.Count(f => f != Problems.Baseline);
}

/// <summary>
/// Known gains of configurations, and the timings behind them: a value, which planning hands on and adds to. A configuration that cannot run is known and has
/// no gain.
/// </summary>
internal sealed class Gains
{
    public static readonly Gains Empty = new(
        ImmutableSortedDictionary.Create<(int, string), (Configuration, Gain?)>(), [], ImmutableDictionary<int, double>.Empty);

    private readonly ImmutableSortedDictionary<(int Subgraph, string Text), (Configuration Configuration, Gain? Gain)> known;
    private readonly ImmutableDictionary<int, double> originals;

    private Gains(
        ImmutableSortedDictionary<(int, string), (Configuration, Gain?)> known, ImmutableList<(SubgraphConfiguration, ConfigurationTiming)> timings, ImmutableDictionary<int, double> originals)
    {
        this.known = known;
        this.originals = originals;
        Timings = timings;
    }

    /// <summary>Milliseconds that a run of the original spends in the sub-graphs that were timed, the mean over the scenarios by their weights.</summary>
    public double OriginalMilliseconds => originals.Values.Sum();

    /// <summary>How many configurations are known.</summary>
    public int Count => known.Count;

    /// <summary>The timings that the gains follow from, in the order in which they were taken; empty for objectives that are computed.</summary>
    public ImmutableList<(SubgraphConfiguration Configuration, ConfigurationTiming Timing)> Timings { get; }

    /// <summary>These and one more.</summary>
    public Gains With(SubgraphConfiguration configuration, Gain? gain) => new(known.SetItem(KeyOf(configuration), (configuration.Configuration, gain)), Timings, originals);

    /// <summary>These and one that follows from a timing: the mean over the scenarios by their weights.</summary>
    public Gains With(SubgraphConfiguration configuration, ConfigurationTiming timing, IReadOnlyList<double> weights)
    {
        Gain? gain = timing.Unavailable is not null ? null
            : timing.Timings.Zip(weights, (t, w) => new Gain(t.Low * w, t.Gain * w, t.High * w)).Aggregate(Gain.None, (sum, g) => sum + g);
        return new Gains(
            known.SetItem(KeyOf(configuration), (configuration.Configuration, gain)),
            Timings.Add((configuration, timing)),
            gain is null ? originals : originals.SetItem(configuration.Subgraph.Index, timing.Timings.Zip(weights, (t, w) => t.OriginalMilliseconds * w).Sum()));
    }

    public bool Knows(SubgraphConfiguration configuration) => known.ContainsKey(KeyOf(configuration));

    /// <summary>The gain of a configuration that was measured and runs, else null.</summary>
    public Gain? Find(SubgraphConfiguration configuration) => known.GetValueOrDefault(KeyOf(configuration)).Gain;

    /// <summary>The known gain of a configuration, else the sum of what its layers gain alone.</summary>
    public Gain Of(SubgraphConfiguration configuration) => Find(configuration) ?? configuration.Configuration.Formats.Select((format, layer) => format == Problems.Baseline
        ? Gain.None
        : Find(Problems.Alone(configuration.Subgraph, layer, format)) ?? Gain.None).Aggregate(Gain.None, (sum, g) => sum + g);

    /// <summary>The gain of a plan: a configuration by sub-graph.</summary>
    public Gain Sum(Partition partition, IReadOnlyList<Configuration> plan) =>
        partition.Subgraphs.Select(s => Of(new SubgraphConfiguration(s, plan[s.Index]))).Aggregate(Gain.None, (sum, g) => sum + g);

    /// <summary>The configurations of one sub-graph that run, in a fixed order.</summary>
    public IEnumerable<(Configuration Configuration, Gain Gain)> Of(Subgraph subgraph) => known
        .Where(g => g.Key.Subgraph == subgraph.Index && g.Value.Gain is not null)
        .Select(g => (g.Value.Configuration, g.Value.Gain!.Value));

    private static (int, string) KeyOf(SubgraphConfiguration configuration) => (configuration.Subgraph.Index, configuration.Configuration.ToString());
}
