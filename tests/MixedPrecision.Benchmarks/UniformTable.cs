using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks;

/// <summary>Ways to write one model: what each does to the loss on samples not calibrated with, and how long it runs, as the tenth percentile of runs in turn over the first's.</summary>
internal static class UniformTable
{
    private const int Runs = 60;

    /// <param name="models">The original first.</param>
    /// <param name="column">Heading of one more column.</param>
    /// <param name="describe">What that says of a model.</param>
    public static int Print<T>(PredictionTrial trial, IReadOnlyList<(string Name, ModelProto Model)> models, string column, Func<ModelProto, T> describe)
    {
        var loaded = new List<(string Name, ModelProto Model, Session Session)>();
        foreach ((string name, ModelProto proto) in models)
        {
            try
            {
                loaded.Add((name, proto, Session.Create(proto, SessionSettings.Timing(PredictionBenchmark.Threads))));
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
        Console.WriteLine($"| model | {column} | relative loss error | time over the original's |");
        Console.WriteLine("|---|---|---|---|");
        for (int i = 0; i < loaded.Count; i++)
        {
            double error = Math.Sqrt(trial.Measure(loaded[i].Model).Average() / trial.MeanSquareLoss);
            Console.WriteLine($"| {loaded[i].Name} | {describe(loaded[i].Model)} | {error:0.000 %} | {tenth[i] / tenth[0]:0.00} |");
            loaded[i].Session.Dispose();
        }

        return 0;
    }
}
