using System.Diagnostics;
using Google.Protobuf;
using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Verification;

namespace MixedPrecision.Benchmarks;

/// <summary>
/// Timings of a thing against itself (A/A): whole models as verification times them, and their sub-graphs as their configurations are timed. The true gain is zero, so an
/// interval of 95 % may exclude it once in 20 times; that it lies within is worth the less the wider it is.
/// </summary>
internal static class SameFileBenchmark
{
    private const double Allowed = 0.05;

    /// <summary>Sub-graphs of a model, at most, those of equal structure counted once.</summary>
    private const int MostSubgraphs = 6;

    /// <summary>A count of exclusions is too large when chance alone makes one as large less often than this.</summary>
    private const double TooRare = 0.01;

    private static readonly int[] ThreadCounts = [1, 2];

    /// <param name="repeats">Comparisons of each whole model and of each sub-graph, per number of threads.</param>
    /// <param name="folders">Each with a model.onnx and, if there is, data.</param>
    /// <returns>1 when more intervals exclude zero than chance explains.</returns>
    public static int Run(int repeats, string[] folders)
    {
        Console.WriteLine("| model | threads | timed | ms a run | exclude 0 (faster) | mean absolute error | half width | seconds each |");
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        var all = new Dictionary<string, List<Timed>> { ["whole model"] = [], ["sub-graphs"] = [] };
        foreach (string folder in folders)
        {
            string path = Path.Combine(folder, "model.onnx");
            using OnnxModel model = OnnxModel.Load(path);
            IReadOnlyList<Scenario> scenarios = Scenarios.Make(model, [], [SampleOf(folder, model, path)]);
            foreach (int threads in ThreadCounts)
            {
                void Add(string kind, IEnumerable<Timed> timed)
                {
                    List<Timed> those = [.. timed];
                    all[kind].AddRange(those);
                    Print(Path.GetFileName(Path.TrimEndingDirectorySeparator(folder)), $"{threads}", kind, those);
                }

                Add("whole model", Enumerable.Range(0, repeats).Select(_ => Time(() => EndToEnd.Measure(
                    path, [path], SessionSettings.Timing(threads), scenarios, TimingSettings.WholeModel, _ => { }, null, CancellationToken.None)[0].Comparison)));
                Add("sub-graphs", TimeSubgraphs(model, scenarios[0], threads, repeats));
            }
        }

        bool isFair = true;
        foreach ((string kind, List<Timed> timed) in all)
        {
            Print("**all**", "", kind, timed);
        }

        foreach ((string kind, List<Timed> timed) in all)
        {
            int excluding = timed.Count(t => t.Timing.IsSignificant);
            double chance = AtLeast(excluding, timed.Count);
            Console.WriteLine($"{kind}: {excluding} of {timed.Count} intervals exclude zero, {Allowed * timed.Count:0.0} are allowed; chance makes at least as many with probability {chance:0.00}");
            isFair &= chance >= TooRare;
        }

        return isFair ? 0 : 1;
    }

    private static Dictionary<string, Tensor> SampleOf(string folder, OnnxModel model, string path)
    {
        string? data = new[] { "calibration.jsonl", "calibration.npz", "data.npz", Path.Combine("images", "calibration") }.Select(d => Path.Combine(folder, d)).FirstOrDefault(Path.Exists);
        IReadOnlyList<Sample> samples = data is null
            ? SyntheticInputs.Make(model, path, new Dictionary<string, long>(), 1).Samples
            : SampleReader.Read(data, data, [.. model.Inputs.Select(i => new InputDeclaration(i.Name, TensorType.Read(i.Type)))], null, 1);
        return new Dictionary<string, Tensor>(samples[0].Inputs);
    }

    private static IEnumerable<Timed> TimeSubgraphs(OnnxModel model, Scenario scenario, int threads, int repeats)
    {
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Complete(model, TypeInference.Infer(model), scenario.Inputs);
        Partition partition = Partitioner.Partition(model, types);
        ExtractedSubgraph[] cuts =
        [
            .. partition.Subgraphs.Where(s => s.Layers.Count > 0).DistinctBy(s => s.Fingerprint)
                .Select(s => Extraction.Extract(model, partition, types, s.Timed))
                .Where(c => c.Inputs.All(i => types.TryGetValue(i, out TensorType? type) && ElementType.BitsOf(type.ElementType) >= 8))
                .Take(MostSubgraphs),
        ];
        IReadOnlyDictionary<string, Tensor> captured = Capture.Run(model, [.. cuts.SelectMany(c => c.Inputs).Distinct()], scenario);
        using MachineLock held = MachineLock.Acquire(CancellationToken.None);
        foreach (ExtractedSubgraph cut in cuts)
        {
            byte[] bytes = cut.Model.ToByteArray();
            using var feed = new Feed(cut.Inputs.Select(i => (i, captured[i])));
            OpenedRun Open()
            {
                Session session = Session.Create(bytes, SessionSettings.Timing(threads), model.Folder);
                return new OpenedRun(() => session.RunOnly(feed), session.Dispose);
            }

            for (int repeat = 0; repeat < repeats; repeat++)
            {
                yield return Time(() => Interleaved.Measure([Contender.Probe(Open), Contender.Probe(Open)], TimingSettings.Subgraph, CancellationToken.None));
            }
        }
    }

    private static Timed Time(Func<Comparison> measure)
    {
        long start = Stopwatch.GetTimestamp();
        Comparison comparison = measure();
        return new Timed(comparison.Of(1), Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private static void Print(string name, string threads, string kind, IReadOnlyList<Timed> timed)
    {
        if (timed.Count > 0)
        {
            int excluding = timed.Count(t => t.Timing.IsSignificant), faster = timed.Count(t => t.Timing.Low > 0);
            double error = timed.Average(t => Math.Abs(t.Timing.Gain) / t.Timing.OriginalMilliseconds);
            double halfWidth = Median([.. timed.Select(t => (t.Timing.High - t.Timing.Low) / 2 / t.Timing.OriginalMilliseconds)]);
            string milliseconds = name.StartsWith('*') ? "" : $"{Median([.. timed.Select(t => t.Timing.OriginalMilliseconds)]):0.###}";
            Console.WriteLine($"| {name} | {threads} | {kind} | {milliseconds} | {excluding} ({faster}) of {timed.Count} | {error:0.00 %} | ±{halfWidth:0.00 %} | {timed.Average(t => t.Seconds):0.00} |");
        }
    }

    private static double Median(double[] values) => MedianInterval.Of(values, 0).Median;

    /// <summary>The probability that of so many intervals, each of which excludes zero with the probability allowed, at least as many do.</summary>
    private static double AtLeast(int excluding, int count)
    {
        double term = Math.Pow(1 - Allowed, count), below = 0;
        for (int k = 0; k < excluding; k++)
        {
            below += term;
            term *= (count - k) / (k + 1.0) * Allowed / (1 - Allowed);
        }

        return 1 - below;
    }

    private sealed record Timed(Timing Timing, double Seconds);
}
