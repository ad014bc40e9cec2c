using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Benchmarking;

/// <summary>One configuration of one sub-graph, timed against the sub-graph as the original has it.</summary>
/// <param name="Configuration">Structure, and the format of each layer in the order of <see cref="Subgraph.Layers"/>.</param>
/// <param name="Canonical">The formats in the order that follows from the structure alone: what holds for every sub-graph of equal fingerprint, in any file.</param>
/// <param name="Timings">One timing per scenario, in order; empty when the configuration cannot run.</param>
/// <param name="Unavailable">Why the configuration cannot run, or null when it can.</param>
/// <param name="Reused">Whether nothing had to be measured for it.</param>
public sealed record ConfigurationTiming(
    Configuration Configuration, IReadOnlyList<string> Canonical, IReadOnlyList<Timing> Timings, string? Unavailable, bool Reused)
{
    /// <summary>Whether nothing is known of it, since timings are those of a profile, and it is not in there.</summary>
    public bool IsAbsent { get; init; }
}

/// <summary>What enters the sub-graphs of a model in one scenario, as far as timings depend on it.</summary>
/// <param name="Weight">The scenario's share; the shares of all scenarios sum to 1.</param>
/// <param name="Values">By name, type and shape of a value, and small integers themselves.</param>
public sealed record EnteringValues(double Weight, IReadOnlyDictionary<string, string> Values);

/// <summary>
/// Times sub-graphs in ONNX Runtime: cut out of the model with their real weights, rewritten for a configuration, run with the app's session
/// settings on values captured from a run of the whole model. Timings are kept by <see cref="TimingKeys"/>, also that a configuration cannot run. A few configurations of a
/// sub-graph are timed against the original in one run, under the lock of the machine; the sessions of these are alive at once.
/// </summary>
/// <param name="model">The original model.</param>
/// <param name="partition">Its sub-graphs.</param>
/// <param name="types">Types of all its values.</param>
/// <param name="scenarios">What to time in; only asked for where something has to run.</param>
/// <param name="machine">This machine, with the app's provider and threads.</param>
/// <param name="settings">How exactly to measure, where a call does not say.</param>
/// <param name="store">Where timings are kept.</param>
/// <param name="waiting">Told when another benchmark on this machine has to end first.</param>
/// <param name="profile">Timings of another machine, by key: then nothing is measured; or null.</param>
public sealed partial class SubgraphTimer(
    OnnxModel model,
    Partition partition,
    IReadOnlyDictionary<string, TensorType> types,
    Func<IReadOnlyList<Scenario>> scenarios,
    Machine machine,
    TimingSettings settings,
    ContentStore store,
    Action<string>? waiting = null,
    IReadOnlyDictionary<string, StoredTiming>? profile = null)
{
    /// <summary>Candidates timed against the original at once: more share its cost, and take more memory.</summary>
    private const int MostAtOnce = 4;

    /// <summary>A sub-graph of more weights than this is timed one candidate at a time: a session may hold them twice.</summary>
    private const long ManyParameters = 1L << 26;

    /// <summary>Why a configuration counts as one that cannot run though it may.</summary>
    private const string NotInProfile = "it is not in the profile: run 'mixed-precision benchmark POLICY --export FILE' with this policy on the device again";

    private readonly TimingStore timings = new(store, machine, profile);
    private readonly Dictionary<int, Cut> cuts = [];
    private readonly Dictionary<(int Subgraph, string Structure, int Scenario), string?> admitted = [];
    private IReadOnlyList<IReadOnlyDictionary<string, Tensor>>? captured;

    /// <summary>Where prepared constants are kept, or null.</summary>
    public Preparations? Preparations { get; init; }

    /// <summary>By name of a layer, the ranges that calibration saw, or null.</summary>
    public Func<string, LayerRanges?> Ranges { get; init; } = _ => null;

    /// <summary>The structures that a sub-graph may have besides the exported one.</summary>
    public Func<Subgraph, IReadOnlyList<FoundStructure>> Structures { get; init; } = _ => [];

    /// <summary>Measures a few sessions against the first; null: <see cref="Interleaved"/> does.</summary>
    internal Func<IReadOnlyList<Contender>, Comparison>? Compare { get; init; }

    /// <summary>Timings taken so far: one per configuration and scenario.</summary>
    public int Measured => timings.Measured;

    /// <summary>Timings found in the cache, or shared by sub-graphs of equal structure.</summary>
    public int Reused => timings.Reused;

    /// <summary>Configurations and edges that were asked for and are not in the profile.</summary>
    public int Missing => timings.Missing;

    /// <summary>All timings that were taken or found, by the text of their keys.</summary>
    public IReadOnlyDictionary<string, StoredTiming> Known => timings.Known;

    /// <summary>What the reader should know, such as damaged entries of the cache.</summary>
    public IReadOnlyList<string> Warnings => timings.Warnings;

    /// <summary>What enters the sub-graphs in each scenario, where it is known from an earlier run; null: a run of the model finds out.</summary>
    public IReadOnlyList<EnteringValues>? Entering { get; set; }

    /// <summary>Finds out what enters the sub-graphs, by a run of the model in each scenario.</summary>
    /// <exception cref="MixedPrecisionException">MPB5002: the original model does not run in a scenario.</exception>
    public IReadOnlyList<EnteringValues> Describe() => [.. scenarios().Zip(Captured(), (scenario, values) =>
        new EnteringValues(scenario.Weight, values.ToDictionary(v => v.Key, v => TimingKeys.Describe(v.Value))))];

    /// <summary>Times one configuration in every scenario, or finds its timings.</summary>
    /// <inheritdoc cref="Measure(Subgraph, IReadOnlyList{Configuration}, CancellationToken, Action{int}, TimingSettings)"/>
    public ConfigurationTiming Measure(Subgraph subgraph, Configuration configuration, CancellationToken cancellation) =>
        Measure(subgraph, [configuration], cancellation)[0];

    /// <summary>Times configurations of one sub-graph in every scenario, or finds their timings.</summary>
    /// <param name="subgraph">A sub-graph of the partition.</param>
    /// <param name="configurations">None of them as the original has it; each format has to apply to its layer, and each structure to the sub-graph.</param>
    /// <param name="cancellation">Checked before every few runs.</param>
    /// <param name="progress">Told of each few configurations how many they were.</param>
    /// <param name="exactly">How exactly to measure.</param>
    /// <exception cref="MixedPrecisionException">MPB5002: the original model does not run in a scenario. MPB5004: the original sub-graph does not run by itself.</exception>
    public IReadOnlyList<ConfigurationTiming> Measure(
        Subgraph subgraph, IReadOnlyList<Configuration> configurations, CancellationToken cancellation, Action<int>? progress = null, TimingSettings? exactly = null)
    {
        cancellation.ThrowIfCancellationRequested();
        exactly ??= settings;
        if (configurations.Any(c => c.Formats.Count != subgraph.Layers.Count || !c.Changes(NumberFormats.Baseline.Name)))
        {
            throw new ArgumentException($"sub-graph {subgraph.Index} has {subgraph.Layers.Count} layers, and something of it has to change");
        }

        Cut cut = CutOut(subgraph);
        if (cut.Unavailable is not null)
        {
            progress?.Invoke(configurations.Count);
            return [.. configurations.Select(c => Result(cut, c, [], cut.Unavailable, reused: false))];
        }

        Entering ??= Describe();
        IReadOnlyDictionary<string, string>[] entering = [.. Entering.Select(e => cut.Extracted.Inputs.ToDictionary(i => i, i => e.Values[i]))];
        CacheKey[][] keys = [.. configurations.Select(c => entering.Select(e => cut.Keys.Of(c, StructureOf(subgraph, c), e, exactly)).ToArray())];
        StoredTiming?[][] found = [.. keys.Select(k => k.Select(timings.Find).ToArray())];
        bool[] reused = [.. found.Select(IsKnown)];
        Array.ForEach(found, cut.Note);
        int[] missing = [.. Enumerable.Range(0, configurations.Count).Where(i => !reused[i]).DistinctBy(i => string.Join(' ', keys[i].Select(k => k.Hex)))];
        if (timings.IsClosed)
        {
            // What is measured once more has been asked for before.
            Array.ForEach(exactly == settings ? missing : [], i => timings.Miss(keys[i]));
        }
        else
        {
            Candidate[] open = [.. missing.Select(i => new Candidate(configurations[i], keys[i], found[i]))];
            TimeUndisturbed(subgraph, cut, [.. open.Chunk(cut.Parameters > ManyParameters ? 1 : MostAtOnce)], exactly, progress, cancellation);

            // Formats that differ only in values have the timing of the first of them.
            foreach (int i in Enumerable.Range(0, configurations.Count).Where(i => !reused[i]).Except(missing))
            {
                found[i] = [.. keys[i].Select(timings.Find)];
                reused[i] = true;
            }
        }

        progress?.Invoke(configurations.Count - (timings.IsClosed ? 0 : missing.Length));
        return [.. configurations.Select((configuration, i) => !IsKnown(found[i])
            ? Result(cut, configuration, [], NotInProfile, reused: false) with { IsAbsent = true }
            : found[i].FirstOrDefault(f => f?.Unavailable is not null) is { } unavailable ? Result(cut, configuration, [], unavailable.Unavailable, reused[i])
            : Result(cut, configuration, [.. found[i].Select(f => f!.Timing!)], null, reused[i]))];
    }

    /// <summary>Measures what was not found, a few configurations in one run, and again what was disturbed: see <see cref="Disturbance"/>.</summary>
    private void TimeUndisturbed(
        Subgraph subgraph, Cut cut, IReadOnlyList<Candidate[]> groups, TimingSettings exactly, Action<int>? progress, CancellationToken cancellation)
    {
        foreach (Candidate[] group in groups)
        {
            cancellation.ThrowIfCancellationRequested();
            Time(subgraph, cut, group, exactly, cancellation);
            Array.ForEach(group, c => cut.Note(c.Found));
            progress?.Invoke(group.Length);
        }

        for (int repetition = 0; repetition < Disturbance.MostRepetitions; repetition++)
        {
            foreach (Candidate[] group in groups.Select(g => g.Where(c => cut.Disturbed(c.Found).Any()).ToArray()).Where(g => g.Length > 0))
            {
                foreach (Candidate candidate in group)
                {
                    cut.Disturbed(candidate.Found).ToList().ForEach(scenario => candidate.Found[scenario] = null);
                }

                Time(subgraph, cut, group, exactly, cancellation);
                Array.ForEach(group, c => cut.Note(c.Found));
            }
        }
    }

    private static ConfigurationTiming Result(Cut cut, Configuration configuration, IReadOnlyList<Timing> timings, string? unavailable, bool reused) =>
        new(configuration, cut.Keys.Canonical(configuration.Formats), timings, unavailable, reused);

    private FoundStructure? StructureOf(Subgraph subgraph, Configuration configuration) => configuration.Structure == Structure.Exported ? null
        : Structures(subgraph).FirstOrDefault(s => s.Structure.Name == configuration.Structure)
            ?? throw new ArgumentException($"sub-graph {subgraph.Index} has no structure '{configuration.Structure}'");

    /// <summary>Measures what was not found: first whether the original runs, then which candidates do, then those against it.</summary>
    private void Time(
        Subgraph subgraph, Cut cut, IReadOnlyList<Candidate> candidates, TimingSettings exactly, CancellationToken cancellation)
    {
        IReadOnlyDictionary<string, Tensor>[] inputs = [.. Captured().Select(c => cut.Extracted.Inputs.ToDictionary(i => i, i => c[i]))];
        using MachineLock held = MachineLock.Acquire(cancellation, waiting);
        byte[] original = cut.Extracted.Model.ToByteArray();
        byte[][] rewritten = [.. candidates.Select(c => Rewrite(subgraph, cut, c.Configuration))];
        for (int scenario = 0; scenario < inputs.Length; scenario++)
        {
            using var feed = new Feed(inputs[scenario].Select(i => (i.Key, i.Value)));
            int[] open = [.. Enumerable.Range(0, candidates.Count).Where(c => !IsKnown(candidates[c].Found) && candidates[c].Found[scenario] is null)];
            if (open.Length == 0)
            {
                continue;
            }

            var contenders = new List<Contender> { ProbeOriginal(subgraph, original, feed) };
            var runnable = new List<Candidate>();
            foreach (int c in open)
            {
                cancellation.ThrowIfCancellationRequested();
                try
                {
                    if (StructureOf(subgraph, candidates[c].Configuration) is { } structure && WhyNotAdmitted(subgraph, cut, structure, scenario, inputs[scenario]) is string other)
                    {
                        Refuse(cut, candidates[c], scenario, exactly, other);
                        continue;
                    }

                    contenders.Add(Contender.Probe(() => Open(rewritten[c], feed)));
                    runnable.Add(candidates[c]);
                }
                catch (OnnxRuntimeException e)
                {
                    Refuse(cut, candidates[c], scenario, exactly, $"ONNX Runtime does not run it: {e.Message.Replace('\n', ' ')}");
                }
            }

            if (runnable.Count == 0)
            {
                continue;
            }

            Comparison comparison = Compare?.Invoke(contenders) ?? Interleaved.Measure(contenders, exactly, cancellation);
            for (int c = 0; c < runnable.Count; c++)
            {
                runnable[c].Found[scenario] = timings.AddFaster(
                    runnable[c].Keys[scenario], SubjectOf(cut, runnable[c].Configuration, scenario, ComparisonOf(exactly)), comparison.Of(c + 1));
            }
        }
    }

    private void Refuse(Cut cut, Candidate candidate, int scenario, TimingSettings exactly, string reason) =>
        candidate.Found[scenario] = timings.AddUnavailable(candidate.Keys[scenario], SubjectOf(cut, candidate.Configuration, scenario, ComparisonOf(exactly)), reason);

    private string ComparisonOf(TimingSettings exactly) => exactly == settings ? TimingSubject.Configuration : TimingSubject.NearTie;

    private TimingSubject SubjectOf(Cut cut, Configuration configuration, int scenario, string comparison) =>
        cut.Keys.Subject(configuration, scenarios()[scenario].Name, cut.Extracted, Entering![scenario].Values, types, comparison);

    /// <summary>Why a structure may not stand for the exported form: see <see cref="Admission"/>. Found out once for each structure and what is fed.</summary>
    private string? WhyNotAdmitted(Subgraph subgraph, Cut cut, FoundStructure structure, int scenario, IReadOnlyDictionary<string, Tensor> inputs)
    {
        if (!admitted.TryGetValue((subgraph.Index, structure.Structure.Name, scenario), out string? reason))
        {
            Configuration bare = structure.Bare(subgraph, NumberFormats.Baseline.Name);
            reason = Admission.WhyNot(
                cut.Extracted.Model.ToByteArray(), Rewrite(subgraph, cut, Configuration.Exported(bare.Formats)), Rewrite(subgraph, cut, bare), inputs, cut.Extracted.Outputs, machine.Threads, model.Folder);
            admitted.Add((subgraph.Index, structure.Structure.Name, scenario), reason);
        }

        return reason;
    }

    private Contender ProbeOriginal(Subgraph subgraph, byte[] original, Feed feed)
    {
        try
        {
            return Contender.Probe(() => Open(original, feed));
        }
        catch (OnnxRuntimeException e)
        {
            throw Errors.SubgraphDoesNotRun(model.DisplayName, [.. subgraph.Layers.Select(l => l.Name)], e.Message.Replace('\n', ' '));
        }
    }

    private OpenedRun Open(byte[] subgraph, Feed feed)
    {
        Session session = Session.Create(subgraph, machine.Session(), model.Folder);
        return new OpenedRun(() => session.RunOnly(feed), session.Dispose);
    }

    private byte[] Rewrite(Subgraph subgraph, Cut cut, Configuration configuration)
    {
        ModelProto rewritten = cut.Extracted.Model.Clone();
        LayerRewriter.Apply(
            rewritten,
            [.. subgraph.Layers.Zip(configuration.Formats, (l, f) => (SiteOf(l), NumberFormats.Get(f)))],
            name => Weights.Read(model, partition.View, name)!,
            Preparations,
            StructureOf(subgraph, configuration) is { } structure ? [structure.Match] : []);
        return rewritten.ToByteArray();
    }

    /// <summary>Whether nothing is left to find out: it is timed in every scenario, or cannot run in one.</summary>
    private static bool IsKnown(StoredTiming?[] found) => found.All(f => f is not null) || found.Any(f => f?.Unavailable is not null);

    private IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Captured() => captured ??=
        [.. scenarios().Select(scenario => Capture.Run(model, [.. partition.Subgraphs.Select(CutOut).Where(c => c.Unavailable is null).SelectMany(c => c.Extracted.Inputs).Distinct()], scenario))];

    private Cut CutOut(Subgraph subgraph)
    {
        if (!cuts.TryGetValue(subgraph.Index, out Cut? cut))
        {
            ExtractedSubgraph extracted = Extraction.Extract(model, partition, types, subgraph.Timed);
            // What is fed has to be a tensor of numbers; a sequence, an optional or text is not captured.
            string? other = extracted.Inputs.FirstOrDefault(i => !types.TryGetValue(i, out TensorType? type) || ElementType.BitsOf(type.ElementType) < 8);
            cut = new Cut(
                extracted,
                new TimingKeys(subgraph, Extraction.Canonical(model, partition, types, subgraph.Timed)),
                subgraph.Layers.Sum(l => l.Parameters),
                other is null ? null : $"it reads '{other}', which is no tensor of numbers, and so cannot be timed by itself");
            cuts.Add(subgraph.Index, cut);
        }

        return cut;
    }

    private LayerSite SiteOf(Layer layer) => LayerSite.Of(model, partition.View, types, layer) with { Ranges = Ranges(layer.Name) };

    /// <summary>A sub-graph as a model of its own.</summary>
    private sealed record Cut(ExtractedSubgraph Extracted, TimingKeys Keys, long Parameters, string? Unavailable)
    {
        /// <summary>By scenario, milliseconds of the original in the quietest comparison.</summary>
        private readonly Dictionary<int, double> fastest = [];

        /// <summary>Takes notice of timings, by scenario.</summary>
        public void Note(StoredTiming?[] found)
        {
            foreach ((int scenario, StoredTiming? stored) in found.Index())
            {
                fastest[scenario] = Math.Min(fastest.GetValueOrDefault(scenario, double.PositiveInfinity), stored?.Timing?.OriginalMilliseconds ?? double.PositiveInfinity);
            }
        }

        /// <summary>Scenarios in which something else ran beside.</summary>
        public IEnumerable<int> Disturbed(StoredTiming?[] found) =>
            found.Index().Where(f => f.Item?.Timing is { } timing && Disturbance.Is(timing.OriginalMilliseconds, fastest[f.Index])).Select(f => f.Index);
    }

    /// <summary>A configuration that is not known in every scenario.</summary>
    private sealed record Candidate(Configuration Configuration, CacheKey[] Keys, StoredTiming?[] Found);
}
