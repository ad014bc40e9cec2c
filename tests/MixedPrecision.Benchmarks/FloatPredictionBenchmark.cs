using MixedPrecision.Formats;

namespace MixedPrecision.Benchmarks;

/// <summary>
/// The paper's setting, every layer in bf16 or fp8-e4m3: loss MSE that the noise model (taylor) and P (measured) predict, over that measured on samples that calibration has not seen, of uniform plans
/// and of random mixtures.
/// </summary>
internal static class FloatPredictionBenchmark
{
    public static int Run(string model, string calibration, string evaluation, string loss, string? labels)
    {
        NumberFormat[] formats = [NumberFormats.Baseline, .. new[] { "fp16", "bf16", "fp8-e4m3", "fp8-e5m2" }.Select(NumberFormats.Get)];
        NumberFormat[] mixed = [NumberFormats.Get("bf16"), NumberFormats.Get("fp8-e4m3")];
        using var trial = new PredictionTrial(
            model, PredictionBenchmark.Policy(loss, labels), (calibration, int.MaxValue), (evaluation, int.MaxValue), formats, PredictionBenchmark.Threads);
        double scale = trial.MeanSquareLoss, seen = trial.Sensitivities.MeanSquareLoss;
        Console.WriteLine($"{trial.Layers} layers; E[g²] {seen:0.000} of {trial.Sensitivities.Samples} calibration samples, {scale:0.000} of the others");
        Console.WriteLine("| plan | relative loss error | taylor / measured | over E[g²] each | P / measured | over E[g²] each | standard error of P / measured |");
        Console.WriteLine("|---|---|---|---|---|---|---|");
        Func<NumberFormat[], double> predict = trial.Predictor(formats);
        var ratios = new List<(double Taylor, double P)>();
        void Print(string name, NumberFormat[] plan)
        {
            double[] changes = trial.Measure(plan);
            double measured = changes.Average(), taylor = trial.Taylor(plan) / measured, predicted = predict(plan), ratio = predicted / measured;
            double error = double.Hypot(PredictionBenchmark.StandardError(changes) / measured, PredictionBenchmark.StandardError(trial.FirstOrder(plan)) / predicted);
            ratios.Add((taylor, ratio));
            Console.WriteLine($"| {name} | {Math.Sqrt(measured / scale):0.000 %} | {taylor:0.00} | {taylor * scale / seen:0.00} | {ratio:0.00} | {ratio * scale / seen:0.00} | {ratio * error:0.00} |");
        }

        foreach (NumberFormat format in formats.Skip(1))
        {
            Print(format.Name, trial.Plan(_ => format));
        }

        ratios.Clear();
        for (int seed = 1; seed <= PredictionBenchmark.Mixtures; seed++)
        {
            var random = new Random(seed);
            Print($"mixture {seed}", trial.Plan(_ => mixed[random.Next(mixed.Length)]));
        }

        Console.WriteLine($"mixtures: taylor / measured {Spread(ratios.Select(r => r.Taylor))}, P / measured {Spread(ratios.Select(r => r.P))}");
        return 0;
    }

    private static string Spread(IEnumerable<double> ratios)
    {
        double[] sorted = [.. ratios.Order()];
        return $"{sorted[0]:0.00} to {sorted[^1]:0.00}, mean {sorted.Average():0.00}, {sorted.Count(r => r is >= 0.8 and <= 1.25)} of {sorted.Length} within 0.8 to 1.25";
    }
}
