using System.Diagnostics;
using MixedPrecision.Formats;
using Google.Protobuf;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarks.Preparing;

/// <summary>Loss MSE of uniform formats, by how their weights are prepared: predicted from calibration samples, measured on others.</summary>
internal static class PreparationBenchmark
{
    private const int Threads = 2;
    private const int Groups = 1;

    public static int Run(string model, string calibration, string evaluation, string loss, string? labels, string filter)
    {
        LossKind kind = loss switch { "cross-entropy" => LossKind.CrossEntropy, "next-token" => LossKind.NextToken, _ => LossKind.OutputMse };
        var policy = new CalibrationPolicy(null, kind, labels, int.MaxValue, null);
        using var statistics = new TrialStatistics(Groups, 1);
        long start = Stopwatch.GetTimestamp();
        using (new PredictionTrial(model, policy, (calibration, int.MaxValue), (calibration, 1), [NumberFormats.Baseline], Threads, statistics.Observe))
        {
        }

        Console.WriteLine($"observed in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s: {statistics.Layers.Count} layers");
        Grid[] grids =
        [
            new("int8-dynamic", 8, 0), new("int8-weight 32", 8, 32), new("int4 32", 4, 32), new("int4-weight 32", 4, 32), new("int4-weight 128", 4, 128), new("int3 32", 3, 32), new("int2 32", 2, 32),
        ];
        var seconds = new Dictionary<string, double>();
        var formats = new List<NumberFormat>();
        foreach (Grid grid in grids.Where(g => filter.Split(',').Any(f => g.Name.Contains(f, StringComparison.Ordinal))))
        {
            void Add(string name, Func<LayerMoments, double[][]> hessians, RoundingOptions options, bool corrects = false)
            {
                var made = new Dictionary<string, (sbyte[], float[])>();
                seconds[$"{grid.Name} {name}"] = 0;
                formats.Add(TrialFormat.Of(grid, name, (site, columns) =>
                {
                    if (!made.TryGetValue(site.Layer.Name, out var result))
                    {
                        long began = Stopwatch.GetTimestamp();
                        double[][] matrices = hessians(statistics.Layers[site.Layer.Name]);
                        result = TrialRounding.Round(grid, columns, site.InputSize, matrices, row => (int)((long)row * matrices.Length / site.OutputSize), options);
                        seconds[$"{grid.Name} {name}"] += Stopwatch.GetElapsedTime(began).TotalSeconds;
                        made.Add(site.Layer.Name, result);
                    }

                    return result;
                }, corrects ? site => [.. statistics.Layers[site.Layer.Name].Mean.Select(v => v / statistics.Layers[site.Layer.Name].Rows)] : null));
            }

            static double[][] Plain(LayerMoments m) => [m.Plain];
            Add("rounded", Plain, new());
            var best = new RoundingOptions(Compensates: true, Orders: true, Sweeps: 1, FitsScales: true);
            Add("rounded, corrected", Plain, new(), corrects: true);
            Add("clipped", m => [Sum(m.Drawn)], new(Clips: true));
            Add("gptq", Plain, best);
            Add("gptq, corrected", Plain, best, corrects: true);
            Add("gptq, gradients", m => [Sum(m.Drawn)], best);
            Add("gptq in blocks of 128", m => [Diagonal(m.Plain, 128)], best);
        }

        using var trial = new PredictionTrial(model, policy, (calibration, int.MaxValue), (evaluation, int.MaxValue), [NumberFormats.Baseline, .. formats], Threads);
        double scale = trial.MeanSquareLoss;
        Func<NumberFormat[], double> predictor = trial.Predictor([NumberFormats.Baseline, .. formats]);
        Console.WriteLine($"E[g²] {trial.Sensitivities.MeanSquareLoss:0.000} of {trial.Sensitivities.Samples} calibration samples, {scale:0.000} of the others");
        Console.WriteLine("| format and preparation | relative loss error predicted | measured | loss MSE over that of rounding | standard error | divergence | seconds |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        double[] reference = [];
        foreach (NumberFormat format in formats)
        {
            NumberFormat[] plan = trial.Plan(_ => format);
            double[] changes = trial.Measure(plan);
            reference = format.Name.EndsWith(" rounded", StringComparison.Ordinal) ? changes : reference;
            double ratio = changes.Average() / reference.Average();
            double error = StandardError([.. changes.Zip(reference, (c, r) => (c - (ratio * r)) / reference.Average())]);
            Console.WriteLine($"| {format.Name} | {Math.Sqrt(predictor(plan) / trial.Sensitivities.MeanSquareLoss):0.000 %} | {Math.Sqrt(changes.Average() / scale):0.000 %} | {ratio:0.00} | {error:0.00} | {trial.Divergence * 1e6:0.0} | {seconds[format.Name]:0.0} |");
        }

        return 0;
    }

    public static int Migrate(string model, string calibration, string loss, string? labels, string kind, string output)
    {
        LossKind lossKind = loss switch { "cross-entropy" => LossKind.CrossEntropy, "next-token" => LossKind.NextToken, _ => LossKind.OutputMse };
        using var statistics = new TrialStatistics(Groups, 1);
        using var trial = new PredictionTrial(model, new CalibrationPolicy(null, lossKind, labels, int.MaxValue, null), (calibration, int.MaxValue), (calibration, 1), [NumberFormats.Baseline], Threads, statistics.Observe);
        using OnnxModel migrated = OnnxModel.Load(model);
        int done = TrialMigration.Migrate(migrated, trial.Sites, statistics.Layers, kind);
        Console.WriteLine($"{done} activations");
        using FileStream stream = File.Create(output);
        migrated.Proto.WriteTo(stream);
        return 0;
    }

    private static double[] Sum(double[][] matrices) => [.. Enumerable.Range(0, matrices[0].Length).Select(i => matrices.Sum(m => m[i]))];

    private static double[] Diagonal(double[] matrix, int width)
    {
        int n = (int)Math.Sqrt(matrix.Length);
        return [.. matrix.Select((v, i) => i / n / width == i % n / width ? v : 0)];
    }

    private static double StandardError(double[] values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Average(v => (v - mean) * (v - mean)) / (values.Length - 1));
    }
}
