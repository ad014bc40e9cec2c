using System.Collections.Immutable;
using MixedPrecision.Benchmarking;
using MixedPrecision.Partitioning;

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

/// <summary>One sub-graph with the format of each of its layers, in its order.</summary>
internal sealed record Configuration(Subgraph Subgraph, IReadOnlyList<string> Formats);

/// <summary>
/// Known gains of configurations, and the timings behind them: a value, which planning hands on and adds to. A configuration that cannot run is known and has
/// no gain.
/// </summary>
internal sealed class Gains
{
    public static readonly Gains Empty = new(
        ImmutableSortedDictionary.Create<(int, string), Gain?>(), [], ImmutableDictionary<int, double>.Empty);

    private readonly ImmutableSortedDictionary<(int Subgraph, string Formats), Gain?> known;
    private readonly ImmutableDictionary<int, double> originals;

    private Gains(
        ImmutableSortedDictionary<(int, string), Gain?> known, ImmutableList<(Configuration, ConfigurationTiming)> timings, ImmutableDictionary<int, double> originals)
    {
        this.known = known;
        this.originals = originals;
        Timings = timings;
    }

    /// <summary>Milliseconds that a run of the original spends in the sub-graphs that were timed, the mean over the scenarios by their weights.</summary>
    public double OriginalMilliseconds => originals.Values.Sum();

    /// <summary>The timings that the gains follow from, in the order in which they were taken; empty for objectives that are computed.</summary>
    public ImmutableList<(Configuration Configuration, ConfigurationTiming Timing)> Timings { get; }

    /// <summary>These and one more.</summary>
    public Gains With(Configuration configuration, Gain? gain) => new(known.SetItem(KeyOf(configuration), gain), Timings, originals);

    /// <summary>These and one that follows from a timing: the mean over the scenarios by their weights.</summary>
    public Gains With(Configuration configuration, ConfigurationTiming timing, IReadOnlyList<double> weights)
    {
        Gain? gain = timing.Unavailable is not null ? null
            : timing.Timings.Zip(weights, (t, w) => new Gain(t.Low * w, t.Gain * w, t.High * w)).Aggregate(Gain.None, (sum, g) => sum + g);
        return new Gains(
            known.SetItem(KeyOf(configuration), gain),
            Timings.Add((configuration, timing)),
            gain is null ? originals : originals.SetItem(configuration.Subgraph.Index, timing.Timings.Zip(weights, (t, w) => t.OriginalMilliseconds * w).Sum()));
    }

    public bool Knows(Configuration configuration) => known.ContainsKey(KeyOf(configuration));

    /// <summary>The gain of a configuration that was measured and runs, else null.</summary>
    public Gain? Find(Configuration configuration) => known.GetValueOrDefault(KeyOf(configuration));

    /// <summary>The known gain of a configuration, else the sum of what its layers gain alone.</summary>
    public Gain Of(Configuration configuration) => Find(configuration) ?? configuration.Formats.Select((format, layer) => format == Problems.Baseline
        ? Gain.None
        : Find(Problems.Alone(configuration.Subgraph, layer, format)) ?? Gain.None).Aggregate(Gain.None, (sum, g) => sum + g);

    /// <summary>The gain of a plan: formats by sub-graph and layer.</summary>
    public Gain Sum(Partition partition, IReadOnlyList<IReadOnlyList<string>> formats) =>
        partition.Subgraphs.Select(s => Of(new Configuration(s, formats[s.Index]))).Aggregate(Gain.None, (sum, g) => sum + g);

    /// <summary>The configurations of one sub-graph that run, in a fixed order.</summary>
    public IEnumerable<(IReadOnlyList<string> Formats, Gain Gain)> Of(Subgraph subgraph) => known
        .Where(g => g.Key.Subgraph == subgraph.Index && g.Value is not null)
        .Select(g => ((IReadOnlyList<string>)g.Key.Formats.Split(' '), g.Value!.Value));

    private static (int, string) KeyOf(Configuration configuration) => (configuration.Subgraph.Index, string.Join(' ', configuration.Formats));
}
