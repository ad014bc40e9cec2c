using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Caching;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;

namespace MixedPrecision.Benchmarking;

/// <summary>One configuration of one sub-graph, timed against the sub-graph as the original has it.</summary>
/// <param name="Formats">The format of each layer, in order.</param>
/// <param name="Timings">One timing per scenario, in order; empty when the configuration cannot run.</param>
/// <param name="Unavailable">Why the configuration cannot run, or null when it can.</param>
/// <param name="Reused">Whether nothing had to be measured for it.</param>
public sealed record ConfigurationTiming(IReadOnlyList<string> Formats, IReadOnlyList<Timing> Timings, string? Unavailable, bool Reused);

/// <summary>
/// Times sub-graphs in ONNX Runtime: cut out of the model with their real weights, rewritten for a configuration, run with the app's session
/// settings on values captured from a run of the whole model. Timings are kept by <see cref="TimingKeys"/>. One pair of sessions is alive at a time,
/// under the lock of the machine.
/// </summary>
/// <param name="model">The original model.</param>
/// <param name="partition">Its sub-graphs.</param>
/// <param name="types">Types of all its values.</param>
/// <param name="scenarios">What to time in.</param>
/// <param name="machine">This machine, with the app's provider and threads.</param>
/// <param name="settings">How exactly to measure.</param>
/// <param name="store">Where timings are kept.</param>
public sealed class SubgraphTimer(
    OnnxModel model,
    Partition partition,
    IReadOnlyDictionary<string, TensorType> types,
    IReadOnlyList<Scenario> scenarios,
    Machine machine,
    TimingSettings settings,
    ContentStore store)
{
    private readonly TimingStore timings = new(store);
    private readonly Dictionary<int, Cut> cuts = [];
    private readonly HashSet<string> modelInputs = [.. model.Inputs.Select(i => i.Name)];
    private IReadOnlyList<IReadOnlyDictionary<string, Tensor>>? captured;

    /// <summary>Timings taken so far: one per configuration and scenario.</summary>
    public int Measured => timings.Measured;

    /// <summary>Timings found in the cache, or shared by sub-graphs of equal structure.</summary>
    public int Reused => timings.Reused;

    /// <summary>What the reader should know, such as damaged entries of the cache.</summary>
    public IReadOnlyList<string> Warnings => timings.Warnings;

    /// <summary>Per sub-graph, each layer alone in each format that applies to it, and all layers together in each format.</summary>
    /// <param name="formats">The formats allowed.</param>
    /// <param name="progress">Told the fraction that is done.</param>
    /// <param name="cancellation">Ends the measuring with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>Per sub-graph, in order, its configurations.</returns>
    public IReadOnlyList<IReadOnlyList<ConfigurationTiming>> PerLayerGains(
        IReadOnlyList<NumberFormat> formats, Action<double> progress, CancellationToken cancellation)
    {
        NumberFormat[][][] configurations = [.. partition.Subgraphs.Select(s => Configurations.PerLayer([.. s.Layers.Select(SiteOf)], formats))];
        // Equal structures cost nothing after the first: they do not count as work.
        HashSet<string> structures = [];
        bool[] costs = [.. partition.Subgraphs.Select(s => structures.Add(s.Fingerprint))];
        double total = Math.Max(1, configurations.Where((_, i) => costs[i]).Sum(c => c.Length));
        int done = 0;
        var results = new List<IReadOnlyList<ConfigurationTiming>>();
        foreach (Subgraph subgraph in partition.Subgraphs)
        {
            var measured = new List<ConfigurationTiming>();
            foreach (NumberFormat[] configuration in configurations[subgraph.Index])
            {
                measured.Add(Measure(subgraph, configuration, cancellation));
                done += costs[subgraph.Index] ? 1 : 0;
                progress(done / total);
            }

            results.Add(measured);
        }

        return results;
    }

    /// <summary>Times one configuration in every scenario, or finds its timings.</summary>
    /// <param name="subgraph">A sub-graph of the partition.</param>
    /// <param name="formats">One per layer, in order, at least one of them not the baseline; each has to apply to its layer.</param>
    /// <param name="cancellation">Checked before every few runs.</param>
    /// <exception cref="Diagnostics.MixedPrecisionException">MPB5002: the original model does not run in a scenario.</exception>
    public ConfigurationTiming Measure(Subgraph subgraph, IReadOnlyList<NumberFormat> formats, CancellationToken cancellation)
    {
        if (formats.Count != subgraph.Layers.Count || formats.All(f => f == NumberFormats.Baseline))
        {
            throw new ArgumentException($"sub-graph {subgraph.Index} has {subgraph.Layers.Count} layers, of which one at least has to leave the baseline");
        }

        string[] names = [.. formats.Select(f => f.Name)];
        Cut cut = CutOut(subgraph);
        if (cut.Unavailable is not null)
        {
            return new ConfigurationTiming(names, [], cut.Unavailable, Reused: false);
        }

        IReadOnlyDictionary<string, Tensor>[] inputs = [.. Captured().Select(c => cut.Extracted.Inputs.ToDictionary(i => i, i => c[i]))];
        CacheKey[] keys = [.. inputs.Select(i => cut.Keys.Of(formats, i, modelInputs, machine, settings))];
        Timing?[] found = [.. keys.Select(timings.Find)];
        if (found.All(t => t is not null))
        {
            return new ConfigurationTiming(names, found!, null, Reused: true);
        }

        try
        {
            Time(subgraph, cut.Extracted, formats, inputs, keys, found, cancellation);
            return new ConfigurationTiming(names, found!, null, Reused: false);
        }
        catch (OnnxRuntimeException e)
        {
            return new ConfigurationTiming(names, [], $"ONNX Runtime does not run it: {e.Message.Replace('\n', ' ')}", Reused: false);
        }
    }

    /// <summary>Measures what was not found.</summary>
    private void Time(
        Subgraph subgraph,
        ExtractedSubgraph extracted,
        IReadOnlyList<NumberFormat> formats,
        IReadOnlyDictionary<string, Tensor>[] inputs,
        CacheKey[] keys,
        Timing?[] found,
        CancellationToken cancellation)
    {
        ModelProto rewritten = extracted.Model.Clone();
        LayerRewriter.Apply(rewritten, [.. subgraph.Layers.Zip(formats, (l, f) => (SiteOf(l), f))], name => Weights.Read(model, partition.View, name)!);
        var session = new SessionSettings(machine.Threads);
        using MachineLock held = MachineLock.Acquire(cancellation);
        using Session baseline = Session.Create(extracted.Model, session, model.Folder);
        using Session candidate = Session.Create(rewritten, session, model.Folder);
        for (int scenario = 0; scenario < found.Length; scenario++)
        {
            if (found[scenario] is null)
            {
                using var feed = new Feed(inputs[scenario].Select(i => (i.Key, i.Value)));
                found[scenario] = Interleaved.Measure(() => baseline.RunOnly(feed), () => candidate.RunOnly(feed), settings, cancellation);
                timings.Add(keys[scenario], found[scenario]!);
            }
        }
    }

    private IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Captured() => captured ??=
        [.. scenarios.Select(scenario => Capture.Run(model, [.. partition.Subgraphs.Select(CutOut).Where(c => c.Unavailable is null).SelectMany(c => c.Extracted.Inputs).Distinct()], scenario))];

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
                other is null ? null : $"it reads '{other}', which is no tensor of numbers, and so cannot be timed by itself");
            cuts.Add(subgraph.Index, cut);
        }

        return cut;
    }

    private LayerSite SiteOf(Layer layer) => new(layer, partition.View.Nodes[layer.Node], model.Opset, types[layer.Input], types[layer.Weight]);

    /// <summary>A sub-graph as a model of its own.</summary>
    private sealed record Cut(ExtractedSubgraph Extracted, TimingKeys Keys, string? Unavailable);
}
