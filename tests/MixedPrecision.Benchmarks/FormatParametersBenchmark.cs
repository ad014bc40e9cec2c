using MixedPrecision.Formats;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarks;

/// <summary>What the parameters of integer formats do: each for all layers that it applies to, weights rounded to the nearest value.</summary>
internal static class FormatParametersBenchmark
{
    private static readonly string[] Texts =
    [
        "int8-dynamic(full,rounded)", "int8-dynamic(paired,rounded)",
        .. from block in new[] { 16, 32, 64, 128, 256 } select $"int8-weight(block={block},rounded)",
        "int8-weight(block=64,zero-points,rounded)",
        .. from block in new[] { 16, 32, 64, 128, 256 } select $"int4-weight(block={block},rounded)",
        "int4-weight(block=32,zero-points,rounded)", "int4-weight(block=32,accuracy=0,rounded)",
        .. from block in new[] { 16, 32, 64, 128, 256 } select $"int2-weight(block={block},rounded)",
        "int2-weight(block=64,zero-points,rounded)",
    ];

    public static int Run(string model, string calibration, string evaluation, string loss, string? labels)
    {
        NumberFormat[] formats = [.. Texts.Select(t => NumberFormats.Get(FormatId.Parse(t).Text))];
        using var trial = new PredictionTrial(
            model, PredictionBenchmark.Policy(loss, labels), (calibration, 2), (evaluation, int.MaxValue), [NumberFormats.Baseline], PredictionBenchmark.Threads);
        return UniformTable.Print(
            trial, [("original", trial.Model.Proto), .. formats.Select(f => (f.Name, trial.Rewrite(trial.Plan(_ => f))))], "bytes", proto => proto.CalculateSize());
    }
}
