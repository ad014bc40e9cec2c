using System.Diagnostics;
using System.Globalization;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Benchmarks;

/// <summary>
/// Made models of a few blocks, each with one thing that a structure writes in another way: time of the model as exported over that with the structure in each sub-graph that it is found in, of runs in turn
/// on two threads, tenth percentile.
/// </summary>
internal static class RewritesBenchmark
{
    private const int Warmup = 10;

    private static readonly TimeSpan Each = TimeSpan.FromSeconds(6);

    public static int Run(IReadOnlyList<string> names)
    {
        Console.WriteLine("| model | sizes | structure | sub-graphs | as exported | with it | ratio |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        foreach (RewrittenCase made in RewrittenCase.All.Where(c => names.Count == 0 || names.Any(c.Name.Contains)))
        {
            using var model = new OnnxModel(made.Make(), "", "model.onnx");
            IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
            Partition partition = Partitioner.Partition(model, types);
            var sites = partition.Layers.ToDictionary(l => l.Name, l => LayerSite.Of(model, partition.View, types, l));
            StructureMatch[] matches = [.. partition.Subgraphs.SelectMany(s => KnownStructures.Find(new StructureSite(model, partition, s, types, sites))).Where(f => f.Structure.Name == made.Structure).Select(f => f.Match)];
            ModelProto written = Quantizer.Emit(model, [], _ => throw new InvalidOperationException("no layer is rewritten"), structures: matches).Model;
            using Session exported = Session.Create(model.Proto, SessionSettings.Timing(2)), other = Session.Create(written, SessionSettings.Timing(2));
            foreach ((string sizes, IReadOnlyDictionary<string, Tensor> inputs) in made.Inputs)
            {
                (double before, double after) = Time(() => exported.Run(inputs), () => other.Run(inputs));
                Console.WriteLine(string.Create(
                    CultureInfo.InvariantCulture, $"| {made.Name} | {sizes} | {made.Structure} | {matches.Length} of {partition.Subgraphs.Count} | {before:0.000} ms | {after:0.000} ms | {before / after:0.000} |"));
            }
        }

        return 0;
    }

    /// <summary>Milliseconds of each of two, of runs in turn, tenth percentile.</summary>
    internal static (double First, double Second) Time(Action first, Action second)
    {
        List<double>[] times = [[], []];
        Stopwatch all = Stopwatch.StartNew();
        for (int run = 0; run < Warmup || all.Elapsed < Each; run++)
        {
            // Either goes first as often.
            foreach (int which in run % 2 == 0 ? new[] { 0, 1 } : [1, 0])
            {
                long start = Stopwatch.GetTimestamp();
                (which == 0 ? first : second)();
                if (run >= Warmup)
                {
                    times[which].Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                }
            }
        }

        double Tenth(List<double> values) => values.Order().ElementAt(values.Count / 10);
        return (Tenth(times[0]), Tenth(times[1]));
    }
}
