using System.Diagnostics;
using MixedPrecision.Benchmarking;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Solving;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>Finds what configurations gain: by timings where the objective is time, else computed.</summary>
internal sealed class Measuring(Materials materials, StageRunner runner)
{
    private const string Stage = "benchmark";

    private readonly Lazy<SubgraphTimer> timer = new(() =>
    {
        Content<Workspace> model = Shipment.ModelOf(materials.Workspace);
        IReadOnlyDictionary<string, TensorType> types = materials.Workspace.Types;
        if (!runner.Get(Stages.Name, new NameInput(model, materials.Scenarios)))
        {
            types = DimensionNames.Types(materials.Workspace.Model, types, [.. materials.Scenarios.Value.Select(s => s.Inputs)]);
        }

        var timer = new SubgraphTimer(
            materials.Workspace.Model,
            materials.Workspace.Partition,
            types,
            () => materials.Scenarios.Value,
            materials.Machine,
            TimingSettings.Subgraph,
            runner.Store,
            text => runner.Log.Say(Stage, text),
            materials.Profile?.Profile.Timings())
        { Preparations = materials.Preparations, Ranges = layer => materials.Workspace.Sites[layer].Ranges, Structures = s => Choices.Structures(materials.Policy, materials.Workspace, materials.Allowed, s) };
        timer.Entering = runner.Get(Stages.Capture, new CaptureInput(model, materials.Scenarios, () => timer));
        return timer;
    });

    private readonly Stopwatch searching = new();

    private readonly Lazy<IReadOnlyDictionary<string, double>> operations = new(() =>
        OperationCount.Of(materials.Workspace.Model, materials.Workspace.Sites.Values, materials.Scenarios.Value));

    private readonly Lazy<Savings> savings = new(() => new Savings(materials.Workspace.Model.Graph));
    private int warned;

    /// <summary>Timings taken in this run, and timings that were there.</summary>
    public (int Measured, int Reused) Counts => timer.IsValueCreated ? (timer.Value.Measured, timer.Value.Reused) : (0, 0);

    /// <summary>Configurations and edges that were asked for and are not in the profile.</summary>
    public int Missing => timer.IsValueCreated ? timer.Value.Missing : 0;

    /// <summary>All timings that were taken or found, by the text of their keys.</summary>
    public IReadOnlyDictionary<string, StoredTiming> Known => timer.IsValueCreated ? timer.Value.Known : new Dictionary<string, StoredTiming>();

    /// <summary>What formats gained in the whole model.</summary>
    public IReadOnlyList<ProfiledWhole> Whole { get; private set; } = [];

    /// <summary>
    /// Configurations that planning starts from: each layer alone in each format that it may take, each format for all layers of a sub-graph that may take it, and each structure by itself.
    /// </summary>
    public static IReadOnlyList<SubgraphConfiguration> First(
        Partition partition, IReadOnlyDictionary<string, LayerOptions> allowed, Func<Subgraph, IReadOnlyList<FoundStructure>> structures) =>
        [.. partition.Subgraphs.SelectMany(s => AloneOf(s, allowed).Concat(UniformOf(s, allowed))
            .Concat(structures(s).Select(f => new SubgraphConfiguration(s, f.Bare(s, Problems.Baseline)))))];

    /// <summary>Whether a share of the time is over that the policy gives to the search, which begins when the first configurations are timed; never with a profile, which is searched in no time, so that its plan does not depend on the machine.</summary>
    public bool IsOver(double share) => materials.Profile is null && searching.Elapsed.TotalSeconds >= share * materials.Policy.SearchSeconds;

    /// <summary>The gains with those of further configurations.</summary>
    public Gains Add(Gains gains, IReadOnlyList<SubgraphConfiguration> configurations)
    {
        if (configurations.Count == 0)
        {
            return gains;
        }

        // The first ones are asked for when nothing is known yet; what follows is the search.
        bool isFirst = gains.Count == 0;
        if (!isFirst)
        {
            searching.Start();
        }

        return materials.Policy.Objective switch
        {
            Objective.Time when isFirst => WithEdges(Checked(Time(gains, [.. configurations.Union(Profiled())], TimingSettings.Subgraph))),
            Objective.Time => Time(gains, configurations, TimingSettings.Subgraph),
            Objective.Memory => configurations.Aggregate(Together(gains), (all, c) => all.With(c, Computed(c))),
            _ => configurations.Aggregate(gains, (all, c) => all.With(c, Computed(c))),
        };
    }

    /// <summary>The gains with what formats save in the whole model beyond that.</summary>
    /// <param name="ofAll">Of formats, too, that gain nowhere.</param>
    public Gains AddSurpluses(PlanningInput input, Gains gains, bool ofAll = false)
    {
        if (materials.Policy.Objective != Objective.Time)
        {
            return gains;
        }

        WholeGains found = Surpluses.Add(materials, runner, input, gains, timer.Value.Entering!, ofAll);
        Whole = found.Timings;
        return found.Gains;
    }

    /// <summary>The gains with those of configurations that are timed once more, those of one sub-graph together; what is computed is exact as it is.</summary>
    public Gains Compare(Gains gains, IReadOnlyList<SubgraphConfiguration> configurations) =>
        materials.Policy.Objective == Objective.Time ? Time(gains, configurations, TimingSettings.Rivals) : gains;

    /// <summary>What the original takes: bytes, multiply-accumulates, or milliseconds in all sub-graphs that were timed.</summary>
    public double Total(Gains gains) => materials.Policy.Objective switch
    {
        Objective.Memory => materials.Workspace.Bytes,
        Objective.TheoreticalTime => operations.Value.Values.Sum(),
        _ => gains.OriginalMilliseconds,
    };

    /// <summary>What the profile has of this model, to be known from the start: nothing else will be.</summary>
    private IEnumerable<SubgraphConfiguration> Profiled() => materials.Profile is null ? [] : materials.Workspace.Partition.Subgraphs
        .SelectMany(s => timer.Value.Profiled(s, l => materials.Allowed[l.Name].Formats).Select(c => new SubgraphConfiguration(s, c)));

    /// <exception cref="MixedPrecisionException">MPB5007: nothing that was asked for is in the profile.</exception>
    private Gains Checked(Gains gains) => materials.Profile is not { } profile || timer.Value.Reused > 0 || timer.Value.Missing == 0 ? gains : throw Errors.ProfileOfOther(
        materials.Policy.PlaceOf(PolicyFiles.Profile),
        materials.Policy.Runtime.Profile!,
        $"of the model {Wording.Quote(profile.Profile.Model.File)} in the scenarios {Wording.List([.. profile.Profile.Scenarios.Select(s => s.Name)])}, by version {Wording.Escape(profile.Profile.Engine)} of the tool");

    private Gains Time(Gains gains, IReadOnlyList<SubgraphConfiguration> configurations, TimingSettings settings)
    {
        double[] weights = [.. timer.Value.Entering!.Select(e => e.Weight)];
        (int before, int done) = (timer.Value.Measured, 0);
        foreach (IGrouping<Subgraph, SubgraphConfiguration> own in configurations.GroupBy(c => c.Subgraph))
        {
            SubgraphConfiguration[] group = [.. own];
            IReadOnlyList<ConfigurationTiming> timings = timer.Value.Measure(
                own.Key, [.. group.Select(c => c.Configuration)], runner.Log.Cancel, count => Report(done += count), settings);
            gains = group.Zip(timings).Aggregate(gains, (all, t) => all.With(t.First, t.Second, weights));
        }

        foreach (string damage in timer.Value.Warnings.Skip(warned))
        {
            runner.Log.WarnOfDamage(Stage, damage);
        }

        warned = timer.Value.Warnings.Count;

        runner.Log.SayTimings(Stage, timer.Value.Measured - before);
        return gains;

        void Report(int count)
        {
            // Configurations that are known take no time, and are no progress.
            if (timer.Value.Measured > before)
            {
                runner.Log.Progress(new ProgressUpdate(Stage, "", (double)count / configurations.Count));
            }
        }
    }

    /// <summary>
    /// The gains with what neighbouring sub-graphs gain beyond those of each, where both have layers that may hold values in 8 bits: see <see cref="EdgeTiming"/>. It is measured with all of these layers in
    /// such a format, and counts by the form on both sides of the cut: that of the last such layer before it, and of the first behind it.
    /// </summary>
    private Gains WithEdges(Gains gains)
    {
        IReadOnlyList<Subgraph> subgraphs = materials.Workspace.Partition.Subgraphs;
        string[] formats = [.. materials.Policy.Formats.Where(f => NumberFormats.Get(f).ReadsRanges)];
        var found = new List<Consequence>();
        (Subgraph First, Subgraph Second, string Format)[] pairs = [.. subgraphs.Zip(subgraphs.Skip(1)).SelectMany(pair => formats.Where(f => pair.First.Layers.Any(l => Gives(l, f)) && Has(pair.First, f) && Has(pair.Second, f)).Take(1).Select(f => (pair.First, pair.Second, f)))];
        int before = timer.Value.Measured;
        for (int pair = 0; pair < pairs.Length; pair++)
        {
            (Subgraph first, Subgraph second, string format) = pairs[pair];
            IReadOnlyList<EdgeTiming> edges = timer.Value.MeasureEdge((first, In(first, format)), (second, In(second, format)), runner.Log.Cancel);
            double[] originals = [.. gains.OriginalOf(first).Zip(gains.OriginalOf(second), (a, b) => a + b)];
            double Sum(Func<EdgeTiming, double> gain) => edges.Zip(originals, (edge, original) => gain(edge) / edge.OriginalMilliseconds * original).Sum();
            if (edges.Count > 0)
            {
                LayerChoice[] left = Others(first.Layers.Last(l => Gives(l, format))), right = Others(second.Layers.First(l => Takes(l, format)));
                (double ahead, double behind) = (Sum(e => e.First), Sum(e => e.Second));
                found.Add(new Consequence($"before '{first.Exit}'", left, ahead));
                found.Add(new Consequence($"behind '{first.Exit}'", right, behind));
                found.Add(new Consequence($"across '{first.Exit}'", [.. left, .. right], Sum(e => e.Both) - ahead - behind));
            }

            if (timer.Value.Measured > before)
            {
                runner.Log.Progress(new ProgressUpdate(Stage, "edges", (pair + 1.0) / pairs.Length));
            }
        }

        return found.Count == 0 ? gains : gains.With([.. gains.Consequences, .. found]);

        bool Takes(Layer layer, string format) => materials.Allowed[layer.Name].Formats.Contains(format);
        bool Gives(Layer layer, string format) => Takes(layer, format) && materials.Workspace.Sites[layer.Name].RangesOf.Output is not null;
        bool Has(Subgraph subgraph, string format) => gains.Find(new SubgraphConfiguration(subgraph, In(subgraph, format))) is not null;
        Configuration In(Subgraph subgraph, string format) => Configuration.Exported([.. subgraph.Layers.Select(l => Takes(l, format) ? format : Problems.Baseline)]);
        LayerChoice[] Others(Layer layer) => [.. materials.Allowed[layer.Name].Formats.Where(f => !NumberFormats.Get(f).ReadsRanges).Select(f => new LayerChoice(layer.Name, f))];
    }

    /// <summary>The gains with the bytes of weights that layers of several sub-graphs share, such as a table that is the head's weight too.</summary>
    private Gains Together(Gains gains)
    {
        Partition partition = materials.Workspace.Partition;
        return gains.Count > 0 ? gains : gains.With(
            [.. savings.Value.Shared(partition.View, partition.Subgraphs.SelectMany(s => s.Layers.Select(l => (l, s.Index))))
                .Select(s => new Consequence(s.Layers[0].Weight, [.. s.Layers.Select(l => new LayerChoice(l.Name, Problems.Baseline))], s.Bytes))]);
    }

    /// <summary>Bytes that the emitted file saves, or multiply-accumulates saved, weighted over the scenarios and counted in those of the baseline.</summary>
    private Gain Computed(SubgraphConfiguration configuration)
    {
        (LayerSite Site, NumberFormat Format)[] changed =
            [.. configuration.Subgraph.Layers.Zip(configuration.Configuration.Formats, (l, f) => (materials.Workspace.Sites[l.Name], NumberFormats.Get(f))).Where(l => l.Item2 != NumberFormats.Baseline)];
        double gain = materials.Policy.Objective == Objective.Memory
            ? savings.Value.Bytes(changed)
            : changed.Sum(l => (1 - l.Format.TimePerMac) * operations.Value[l.Site.Layer.Name]);
        return new Gain(gain, gain, gain);
    }

    private static IEnumerable<SubgraphConfiguration> AloneOf(Subgraph subgraph, IReadOnlyDictionary<string, LayerOptions> allowed) =>
        subgraph.Layers.SelectMany((layer, i) => allowed[layer.Name].Formats.Where(f => f != Problems.Baseline).Select(f => Problems.Alone(subgraph, i, f)));

    private static IEnumerable<SubgraphConfiguration> UniformOf(Subgraph subgraph, IReadOnlyDictionary<string, LayerOptions> allowed) => subgraph.Layers
        .SelectMany(l => allowed[l.Name].Formats).Where(f => f != Problems.Baseline).Distinct()
        .Select(format => new SubgraphConfiguration(subgraph, Configuration.Exported([.. subgraph.Layers.Select(l => allowed[l.Name].Formats.Contains(format) ? format : Problems.Baseline)])))
        .Where(c => c.Changed > 1);
}
