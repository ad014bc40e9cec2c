using System.Collections.Immutable;
using System.Globalization;
using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Partitioning;
using MixedPrecision.Solving;
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
/// no gain. Timings are kept as shares of the original's time that was measured in the same run, and count in the shortest time that the original's sub-graph was ever seen to take: a machine that is
/// half as fast while one of them is timed does not make that one gain twice as much.
/// </summary>
internal sealed class Gains
{
    public static readonly Gains Empty = new(
        ImmutableSortedDictionary<int, ImmutableSortedDictionary<string, Known>>.Empty, [], ImmutableDictionary<int, ImmutableArray<double>>.Empty, [], ImmutableSortedDictionary<int, ImmutableSortedDictionary<string, double>>.Empty);

    private static readonly ImmutableSortedDictionary<string, Known> Nothing = ImmutableSortedDictionary.Create<string, Known>(StringComparer.Ordinal);

    /// <summary>By sub-graph, and by the text of the configuration.</summary>
    private readonly ImmutableSortedDictionary<int, ImmutableSortedDictionary<string, Known>> known;
    private readonly ImmutableDictionary<int, ImmutableArray<double>> originals;

    /// <summary>By sub-graph, and by the text of the formats, see <see cref="Surpluses"/>.</summary>
    private readonly ImmutableSortedDictionary<int, ImmutableSortedDictionary<string, double>> surpluses;

    private Gains(
        ImmutableSortedDictionary<int, ImmutableSortedDictionary<string, Known>> known,
        ImmutableList<(SubgraphConfiguration, ConfigurationTiming)> timings,
        ImmutableDictionary<int, ImmutableArray<double>> originals,
        IReadOnlyList<Consequence> consequences,
        ImmutableSortedDictionary<int, ImmutableSortedDictionary<string, double>> surpluses)
    {
        (Consequences, this.surpluses) = (consequences, surpluses);
        this.known = known;
        this.originals = originals;
        Timings = timings;
    }

    /// <summary>Milliseconds that a run of the original spends in the sub-graphs that were timed, the mean over the scenarios by their weights.</summary>
    public double OriginalMilliseconds => originals.Values.Sum(o => o.Sum());

    /// <summary>What layers of several sub-graphs gain together, besides what each sub-graph gains.</summary>
    public IReadOnlyList<Consequence> Consequences { get; }

    /// <summary>All that is known by itself, <see cref="Consequences"/> apart, with what identifies it.</summary>
    public Content<Gains> Content => new(
        CacheKey.Of(
            ("known", string.Join('\n', known.SelectMany(own => own.Value.Select(k => $"{own.Key} {k.Key}: {Text(k.Value)}")))),
            ("originals", string.Join('\n', originals.OrderBy(o => o.Key).Select(o => $"{o.Key} {Text(o.Value)}"))),
            ("surpluses", string.Join('\n', surpluses.SelectMany(own => own.Value.Select(s => $"{own.Key} {s.Key} {Text([s.Value])}"))))),
        () => this);

    /// <summary>How many configurations are known.</summary>
    public int Count => known.Values.Sum(own => own.Count);

    /// <summary>The timings that the gains follow from, in the order in which they were taken; empty for objectives that are computed.</summary>
    public ImmutableList<(SubgraphConfiguration Configuration, ConfigurationTiming Timing)> Timings { get; }

    /// <summary>These and what layers of several sub-graphs gain together.</summary>
    public Gains With(IReadOnlyList<Consequence> consequences) => new(known, Timings, originals, consequences, surpluses);

    /// <summary>These where sub-graphs save more in the whole model than alone. None: as they do alone.</summary>
    /// <param name="surpluses">For formats of a sub-graph's layers, in whatever structure, a share of the original's time in it.</param>
    public Gains With(IReadOnlyList<(Subgraph Subgraph, IReadOnlyList<string> Formats, double Share)> surpluses) => new(known, Timings, originals, Consequences, surpluses.GroupBy(s => s.Subgraph.Index)
        .ToImmutableSortedDictionary(own => own.Key, own => own.ToImmutableSortedDictionary(s => string.Join(' ', s.Formats), s => s.Share, StringComparer.Ordinal)));

    /// <summary>These and one more.</summary>
    public Gains With(SubgraphConfiguration configuration, Gain? gain) =>
        new(Knowing(configuration, new Known(configuration.Configuration, gain, [])), Timings, originals, Consequences, surpluses);

    /// <summary>These and one that follows from a timing: the mean over the scenarios by their weights.</summary>
    public Gains With(SubgraphConfiguration configuration, ConfigurationTiming timing, IReadOnlyList<double> weights)
    {
        if (timing.Unavailable is not null)
        {
            // What a profile lacks is no news of what is known.
            return timing.IsAbsent && Knows(configuration) ? this
                : new Gains(Knowing(configuration, new Known(configuration.Configuration, null, []) { IsAbsent = timing.IsAbsent }), Timings.Add((configuration, timing)), originals, Consequences, surpluses);
        }

        ImmutableArray<Gain> shares = [.. timing.Timings.Select(t => new Gain(t.Low / t.OriginalMilliseconds, t.Gain / t.OriginalMilliseconds, t.High / t.OriginalMilliseconds))];
        int index = configuration.Subgraph.Index;
        ImmutableArray<double> weighted = [.. timing.Timings.Zip(weights, (t, w) => t.OriginalMilliseconds * w)];
        return new Gains(
            Knowing(configuration, new Known(configuration.Configuration, null, shares)),
            Timings.Add((configuration, timing)),
            originals.SetItem(index, originals.TryGetValue(index, out ImmutableArray<double> before) ? [.. before.Zip(weighted, Math.Min)] : weighted),
            Consequences,
            surpluses);
    }

    public bool Knows(SubgraphConfiguration configuration) => KnownOf(configuration) is not null;

    /// <summary>Milliseconds that a run of the original spends in a sub-graph that was timed, by scenario and with its weight; empty for others.</summary>
    public IReadOnlyList<double> OriginalOf(Subgraph subgraph) => originals.TryGetValue(subgraph.Index, out ImmutableArray<double> own) ? own : [];

    /// <summary>Whether nothing could be found out of a configuration, since it is not in the profile.</summary>
    public bool IsAbsent(SubgraphConfiguration configuration) => KnownOf(configuration) is { IsAbsent: true };

    /// <summary>The configurations of one sub-graph that cannot run, or are not in the profile, in a fixed order.</summary>
    public IEnumerable<Configuration> Unavailable(Subgraph subgraph) => Of(subgraph.Index).Values
        .Where(g => g.Computed is null && g.Shares.IsEmpty).Select(g => g.Configuration);

    /// <summary>The gain of a configuration that was measured and runs, else null.</summary>
    public Gain? Find(SubgraphConfiguration configuration) => KnownOf(configuration) is { } found ? GainOf(configuration.Subgraph.Index, found) : null;

    /// <summary>The known gain of a configuration, else the sum of what its layers gain alone.</summary>
    public Gain Of(SubgraphConfiguration configuration) => Find(configuration) ?? configuration.Configuration.Formats.Select((format, layer) => format == Problems.Baseline
        ? Gain.None
        : Find(Problems.Alone(configuration.Subgraph, layer, format)) ?? Gain.None).Aggregate(Gain.None, (sum, g) => sum + g);

    /// <summary>The gain of a plan: a configuration by sub-graph.</summary>
    public Gain Sum(Partition partition, IReadOnlyList<Configuration> plan)
    {
        HashSet<LayerChoice> taken = [.. partition.Subgraphs.SelectMany(s => s.Layers.Zip(plan[s.Index].Formats, (layer, format) => new LayerChoice(layer.Name, format)))];
        double together = Consequences.Where(c => !c.Choices.Any(taken.Contains)).Sum(c => c.Gain);
        return partition.Subgraphs.Select(s => Of(new SubgraphConfiguration(s, plan[s.Index]))).Aggregate(new Gain(together, together, together), (sum, g) => sum + g);
    }

    /// <summary>The configurations of one sub-graph that run, in a fixed order.</summary>
    public IEnumerable<(Configuration Configuration, Gain Gain)> Of(Subgraph subgraph) => Of(subgraph.Index).Values
        .Select(g => (g.Configuration, Gain: GainOf(subgraph.Index, g)))
        .Where(g => g.Gain is not null)
        .Select(g => (g.Configuration, g.Gain!.Value));

    private Gain? GainOf(int subgraph, Known found)
    {
        if (found.Shares.IsEmpty)
        {
            return found.Computed;
        }

        double surplus = surpluses.GetValueOrDefault(subgraph)?.GetValueOrDefault(string.Join(' ', found.Configuration.Formats)) * originals[subgraph].Sum() ?? 0;
        return found.Shares.Zip(originals[subgraph], (share, original) => new Gain(share.Low * original, share.Centre * original, share.High * original)).Aggregate(new Gain(surplus, surplus, surplus), (sum, g) => sum + g);
    }

    private static string Text(Known found) => found.IsAbsent ? "absent" :
        Text((found.Computed is { } computed ? found.Shares.Add(computed) : found.Shares).SelectMany(g => new[] { g.Low, g.Centre, g.High }));

    private static string Text(IEnumerable<double> values) => string.Join(' ', values.Select(v => v.ToString("R", CultureInfo.InvariantCulture)));

    private ImmutableSortedDictionary<string, Known> Of(int subgraph) => known.GetValueOrDefault(subgraph, Nothing);

    private Known? KnownOf(SubgraphConfiguration configuration) => Of(configuration.Subgraph.Index).GetValueOrDefault(configuration.Configuration.ToString());

    private ImmutableSortedDictionary<int, ImmutableSortedDictionary<string, Known>> Knowing(SubgraphConfiguration configuration, Known found) =>
        known.SetItem(configuration.Subgraph.Index, Of(configuration.Subgraph.Index).SetItem(configuration.Configuration.ToString(), found));

    /// <summary>What is known of a configuration.</summary>
    /// <param name="Computed">Its gain where that is computed, else null.</param>
    /// <param name="Shares">Its gain in each scenario where it was timed, as a share of the original's time; empty where it cannot run.</param>
    private sealed record Known(Configuration Configuration, Gain? Computed, ImmutableArray<Gain> Shares)
    {
        /// <summary>Whether it is not in the profile.</summary>
        public bool IsAbsent { get; init; }
    }
}
