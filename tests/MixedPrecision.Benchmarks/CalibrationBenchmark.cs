using System.Diagnostics;
using MixedPrecision.Calibration;
using MixedPrecision.Calibration.Data;
using MixedPrecision.Calibration.Formats;
using MixedPrecision.Calibration.Losses;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarks;

/// <summary>What calibrating one sample costs, over one forward pass of it in ONNX Runtime with an app's settings.</summary>
internal static class CalibrationBenchmark
{
    private const int Samples = 64;
    private const int Threads = 2;
    private const int Rounds = 5;

    public static int Run(string file, string data, string loss, string? labels)
    {
        using OnnxModel model = OnnxModel.Load(file);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        LossKind kind = loss switch { "cross-entropy" => LossKind.CrossEntropy, "next-token" => LossKind.NextToken, _ => LossKind.OutputMse };
        using LossFunction function = LossFunction.Create(model, types, new CalibrationPolicy(null, kind, labels, Samples, null), "benchmark");
        IReadOnlyList<Sample> samples = SampleReader.Read(
            data, Path.GetFileName(data), [.. model.Inputs.Select(i => new InputDeclaration(i.Name, TensorType.Read(i.Type)))], labels, Samples);
        types = TypeInference.Complete(model, types, samples[0].Inputs);
        Partition partition = Partitioner.Partition(model, types);
        var sites = partition.Layers.ToDictionary(l => l.Name, l => new LayerSite(l, partition.View.Nodes[l.Node], model.Opset, types[l.Input], types[l.Weight]));
        using Session session = Session.Open(file, SessionSettings.Default with { Threads = Threads });

        double Forward() => Seconds(() => samples.ToList().ForEach(s => session.RunInPlace(s.Inputs, CancellationToken.None).Dispose())) / samples.Count;

        // The first sample warms everything up: what counts is the time from its end to the end of all.
        double Calibrate(IReadOnlyList<NumberFormat> formats)
        {
            long start = 0;
            Calibrator.Run(
                new CalibrationRequest(model, partition, types, sites, formats, function, samples, Threads),
                update => start = start == 0 && update.Fraction > 1.0 / samples.Count - 1e-9 ? Stopwatch.GetTimestamp() : start,
                CancellationToken.None);
            return Stopwatch.GetElapsedTime(start).TotalSeconds / (samples.Count - 1);
        }

        Forward();
        double[] forward = new double[Rounds], taylor = new double[Rounds], measured = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            forward[round] = Forward();
            taylor[round] = Calibrate([NumberFormats.Baseline]);
            measured[round] = Calibrate(NumberFormats.All);
        }

        double baseline = Median(forward);
        Console.WriteLine($"forward pass:                {baseline * 1000:0.00} ms a sample");
        Console.WriteLine($"forward, backward, taylor:    {Median(taylor) / baseline:0.00} forward passes");
        Console.WriteLine($"with {NumberFormats.All.Count - 1} formats measured: {Median(measured) / baseline:0.00} forward passes");
        return 0;
    }

    private static double Seconds(Action work)
    {
        long start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);
}
