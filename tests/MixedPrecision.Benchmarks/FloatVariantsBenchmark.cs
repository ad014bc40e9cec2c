using System.Diagnostics;
using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks;

/// <summary>
/// What the way floating formats are written rests on. 16 bits: casts around each layer, against a model all of whose operators compute in the type, the largest region there is. 8 bits: activations scaled
/// by their largest magnitude in each run, or taken as they are. Casts are those of the graph that the runtime runs; times are tenth percentiles of runs in turn, over the original's.
/// </summary>
internal static class FloatVariantsBenchmark
{
    private const int Runs = 60;

    public static int Run(string model, string calibration, string evaluation, string loss, string? labels)
    {
        using var trial = new PredictionTrial(
            model, PredictionBenchmark.Policy(loss, labels), (calibration, 2), (evaluation, int.MaxValue), [NumberFormats.Baseline], PredictionBenchmark.Threads);
        (string Name, ModelProto Model)[] models =
        [
            ("original", trial.Model.Proto),
            .. new[] { ("fp16", FloatType.Half), ("bf16", FloatType.BFloat16) }.SelectMany(f => new[]
            {
                ($"{f.Item1} around each layer", trial.Rewrite(trial.Plan(_ => NumberFormats.Get(f.Item1)))),
                ($"{f.Item1} in all operators", NarrowModel.Of(trial.Model, f.Item2)),
            }),
            .. from f in new[] { ("fp8-e4m3", FloatType.E4M3), ("fp8-e5m2", FloatType.E5M2) }
               from scaled in new[] { true, false }
               let format = FloatFormats.Of(scaled ? $"{f.Item1}-scaled" : $"{f.Item1}-plain", version: 1, f.Item2, scaled)
               select ($"{f.Item1}, activations {(scaled ? "scaled" : "as they are")}", trial.Rewrite(trial.Plan(_ => format))),
        ];
        var loaded = new List<(string Name, ModelProto Model, int Casts, Session Session)>();
        foreach ((string name, ModelProto proto) in models)
        {
            try
            {
                loaded.Add((name, proto, Casts(proto), Session.Create(proto, SessionSettings.Timing(PredictionBenchmark.Threads))));
            }
            catch (OnnxRuntimeException e)
            {
                Console.WriteLine($"{name}: does not load: {e.Message.ReplaceLineEndings(" ")}");
            }
        }

        double[][] times = [.. loaded.Select(_ => new double[Runs])];
        for (int run = 0; run < Runs; run++)
        {
            IReadOnlyDictionary<string, Tensor> inputs = trial.Samples[run % trial.Samples.Count].Inputs;
            for (int i = 0; i < loaded.Count; i++)
            {
                long start = Stopwatch.GetTimestamp();
                loaded[i].Session.Run(inputs);
                times[i][run] = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            }
        }

        double[] tenth = [.. times.Select(t => t.Order().ElementAt(Runs / 10))];
        Console.WriteLine("| model | casts | relative loss error | time over the original's |");
        Console.WriteLine("|---|---|---|---|");
        for (int i = 0; i < loaded.Count; i++)
        {
            double error = Math.Sqrt(trial.Measure(loaded[i].Model).Average() / trial.MeanSquareLoss);
            Console.WriteLine($"| {loaded[i].Name} | {loaded[i].Casts} | {error:0.000 %} | {tenth[i] / tenth[0]:0.00} |");
            loaded[i].Session.Dispose();
        }

        return 0;
    }

    private static int Casts(ModelProto model)
    {
        string file = Path.GetTempFileName();
        try
        {
            File.WriteAllBytes(file, model.ToByteArray());
            return OptimizedModel.Read(file, SessionSettings.Timing(PredictionBenchmark.Threads), optimized => optimized.Graph.Node.Count(n => n.OpType == "Cast"));
        }
        finally
        {
            File.Delete(file);
        }
    }
}
