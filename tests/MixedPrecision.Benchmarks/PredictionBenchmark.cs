using MixedPrecision.Formats;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarks;

/// <summary>
/// Predicted over measured loss MSE of uniform plans and of random mixtures, on samples that calibration has not seen. The standard error of the
/// ratio is what the choice of both sets of samples alone makes of it.
/// </summary>
internal static class PredictionBenchmark
{
    internal const int Threads = 2;
    internal const int Mixtures = 30;

    public static int Run(string model, string calibration, string evaluation, string loss, string? labels)
    {
        NumberFormat[] simulated = [NumberFormats.Baseline, .. new[] { 8, 4, 3 }.Select(SimulatedWeights.Format)];
        using var trial = new PredictionTrial(
            model,
            Policy(loss, labels),
            (calibration, int.MaxValue),
            (evaluation, int.MaxValue),
            [.. simulated, .. NumberFormats.Default.Skip(1)],
            Threads);
        double scale = trial.MeanSquareLoss;
        Console.WriteLine($"{trial.Layers} layers; E[g²] {trial.Sensitivities.MeanSquareLoss:0.000} of {trial.Sensitivities.Samples} calibration samples, {scale:0.000} of the others");
        Console.WriteLine("| plan | relative loss error | predicted / measured | over E[g²] each | standard error |");
        Console.WriteLine("|---|---|---|---|---|");

        Func<NumberFormat[], double> real = trial.Predictor(NumberFormats.Default), rounded = trial.Predictor(simulated);
        void Print(string name, NumberFormat[] plan, Func<NumberFormat[], double> predict)
        {
            double[] changes = trial.Measure(plan);
            double measured = changes.Average(), predicted = predict(plan), ratio = predicted / measured;
            double error = double.Hypot(StandardError(changes) / measured, StandardError(trial.FirstOrder(plan)) / predicted);
            Console.WriteLine(
                $"| {name} | {Math.Sqrt(measured / scale):0.00 %} | {ratio:0.00} | {ratio * scale / trial.Sensitivities.MeanSquareLoss:0.00} | {ratio * error:0.00} |");
        }

        foreach (NumberFormat format in NumberFormats.Default.Skip(1))
        {
            Print(format.Name, trial.Plan(_ => format), real);
        }

        foreach (NumberFormat format in simulated.Skip(1))
        {
            Print(format.Name, trial.Plan(_ => format), rounded);
        }

        for (int seed = 1; seed <= Mixtures; seed++)
        {
            var random = new Random(seed);
            Print($"mixture {seed}", trial.Plan(_ => simulated[random.Next(simulated.Length)]), rounded);
        }

        return 0;
    }

    internal static CalibrationPolicy Policy(string loss, string? labels) => new(
        null, loss switch { "cross-entropy" => LossKind.CrossEntropy, "next-token" => LossKind.NextToken, _ => LossKind.OutputMse }, labels, int.MaxValue, null);

    /// <summary>How far the mean of so many samples is expected to lie from that of all there could be.</summary>
    internal static double StandardError(double[] values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Average(v => (v - mean) * (v - mean)) / (values.Length - 1));
    }
}
