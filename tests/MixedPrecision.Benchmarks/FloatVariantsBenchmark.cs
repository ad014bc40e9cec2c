using Google.Protobuf;
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
        return UniformTable.Print(trial, models, "casts", Casts);
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
