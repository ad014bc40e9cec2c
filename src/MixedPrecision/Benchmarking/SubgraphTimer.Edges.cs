using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Caching;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures;

namespace MixedPrecision.Benchmarking;

/// <summary>
/// What two sub-graphs that follow each other gain beyond what each gains by itself, in one scenario. Cut out alone a sub-graph takes and gives plain floats: what changes the form of these – to 8 bits and back, from one layout to another –
/// is counted on both sides of a cut where the whole model may have it once, or not at all.
/// </summary>
/// <param name="OriginalMilliseconds">What the two take by themselves, as the original has them.</param>
/// <param name="Both">Milliseconds gained when both are in their configurations, as far as told from zero; or lost, by the best estimate.</param>
/// <param name="First">The same when the first alone is.</param>
/// <param name="Second">The same when the second alone is.</param>
public sealed record EdgeTiming(double OriginalMilliseconds, double Both, double First, double Second)
{
    /// <summary>
    /// A gain as far as it is told from zero, since the program picks what looks best and would take noise for gains; a cost by its best estimate: most are too small to be told, and together they decide whether it pays to change
    /// single layers (build/docs/validate.md).
    /// </summary>
    internal static double Counted(Timing timing) => timing.Low > 0 ? timing.Low : Math.Min(timing.Gain, 0);
}

/// <summary>Edges between sub-graphs.</summary>
public sealed partial class SubgraphTimer
{
    private static readonly string[] States = ["both", "first", "second"];

    /// <summary>Times two neighbours together and apart in one run, or finds what was measured.</summary>
    /// <param name="first">A sub-graph with a configuration, each format of which applies to its layer.</param>
    /// <param name="second">The sub-graph behind it, likewise.</param>
    /// <param name="cancellation">Checked before every few runs.</param>
    /// <returns>One for each scenario; empty when one of them does not run, or is not in the profile.</returns>
    public IReadOnlyList<EdgeTiming> MeasureEdge((Subgraph Subgraph, Configuration Configuration) first, (Subgraph Subgraph, Configuration Configuration) second, CancellationToken cancellation)
    {
        Subgraph joined = Partitioner.Join(model, partition, types, first.Subgraph, second.Subgraph);
        Cut[] cutsOf = [CutOut(joined), CutOut(first.Subgraph), CutOut(second.Subgraph)];
        if (cutsOf.Any(c => c.Unavailable is not null))
        {
            return [];
        }

        Entering ??= Describe();
        Configuration both = Together(first.Configuration, second.Configuration);
        CacheKey[][] keys = [.. Entering.Select(e => States.Select(state => cutsOf[0].Keys.Of(both, null, cutsOf[0].Extracted.Inputs.ToDictionary(i => i, i => e.Values[i]), TimingSettings.Edge).With("edge", state)).ToArray())];
        StoredTiming?[][] found = [.. keys.Select(scenario => scenario.Select(timings.Find).ToArray())];
        if (!found.All(IsKnown))
        {
            if (timings.IsClosed)
            {
                timings.Miss(keys.Select(k => k[0]));
                return [];
            }

            cancellation.ThrowIfCancellationRequested();
            TimeEdge(first, second, joined, cutsOf, keys, cancellation);
            found = [.. keys.Select(scenario => scenario.Select(timings.Find).ToArray())];
        }

        return found.SelectMany(f => f).Any(f => f!.Unavailable is not null) ? []
            : [.. found.Select(f => new EdgeTiming(f[0]!.Timing!.OriginalMilliseconds, EdgeTiming.Counted(f[0]!.Timing!), EdgeTiming.Counted(f[1]!.Timing!), EdgeTiming.Counted(f[2]!.Timing!)))];
    }

    private void TimeEdge(
        (Subgraph Subgraph, Configuration Configuration) first, (Subgraph Subgraph, Configuration Configuration) second, Subgraph joined, Cut[] cutsOf, CacheKey[][] keys, CancellationToken cancellation)
    {
        static Configuration Baseline(Configuration other) => Configuration.Exported([.. other.Formats.Select(_ => NumberFormats.Baseline.Name)]);
        Configuration[] ofJoined =
        [
            Together(first.Configuration, second.Configuration),
            Together(first.Configuration, Baseline(second.Configuration)),
            Together(Baseline(first.Configuration), second.Configuration),
        ];
        byte[][] originals = [.. cutsOf.Select(c => Google.Protobuf.MessageExtensions.ToByteArray(c.Extracted.Model))];
        byte[][] changed = [.. ofJoined.Select(c => Rewrite(joined, cutsOf[0], c)), Rewrite(first.Subgraph, cutsOf[1], first.Configuration), Rewrite(second.Subgraph, cutsOf[2], second.Configuration)];
        using MachineLock held = MachineLock.Acquire(cancellation, waiting);
        for (int scenario = 0; scenario < keys.Length; scenario++)
        {
            IReadOnlyDictionary<string, Tensor> captured = Captured()[scenario];
            Feed[] feeds = [.. cutsOf.Select(c => new Feed(c.Extracted.Inputs.Select(i => (i, captured[i]))))];
            try
            {
                // The original together, then all that changes; those of the parts last.
                (byte[] Model, Feed Feed)[] runs =
                [
                    (originals[0], feeds[0]), (changed[0], feeds[0]), (changed[1], feeds[0]), (changed[2], feeds[0]),
                    (originals[1], feeds[1]), (changed[3], feeds[1]), (originals[2], feeds[2]), (changed[4], feeds[2]),
                ];
                Comparison comparison = Interleaved.Measure([.. runs.Select(r => Contender.Probe(() => Open(r.Model, r.Feed)))], TimingSettings.Edge, cancellation);
                Store(keys[scenario], Subjects(cutsOf[0], ofJoined[0], scenario), comparison);
            }
            catch (OnnxRuntimeException e)
            {
                foreach ((CacheKey key, TimingSubject of) in keys[scenario].Zip(Subjects(cutsOf[0], ofJoined[0], scenario)))
                {
                    timings.AddUnavailable(key, of, $"ONNX Runtime does not run it: {e.Message.Replace('\n', ' ')}");
                }
            }
            finally
            {
                Array.ForEach(feeds, f => f.Dispose());
            }
        }
    }

    private TimingSubject[] Subjects(Cut joined, Configuration both, int scenario) => [.. TimingSubject.Edges.Select(edge => SubjectOf(joined, both, scenario, edge))];

    private void Store(CacheKey[] keys, TimingSubject[] subjects, Comparison comparison)
    {
        double original = comparison.Of(4).CandidateMilliseconds + comparison.Of(6).CandidateMilliseconds;
        Func<IReadOnlyList<double>, double> ofFirst = round => round[4] - round[5], ofSecond = round => round[6] - round[7];
        Func<IReadOnlyList<double>, double>[] gains = [round => round[0] - round[1] - ofFirst(round) - ofSecond(round), round => round[0] - round[2] - ofFirst(round), round => round[0] - round[3] - ofSecond(round)];
        for (int state = 0; state < keys.Length; state++)
        {
            double[] observed = [.. comparison.Milliseconds.Select(gains[state])];
            (double gain, double low, double high, _) = MedianInterval.Of(observed, comparison.LookConfidence);
            timings.Add(keys[state], subjects[state], new Timing(original, original - gain, gain, low, high, comparison.Confidence, observed.Length, []));
        }
    }

    private static Configuration Together(Configuration first, Configuration second) => Configuration.Exported([.. first.Formats, .. second.Formats]);
}
