using System.Diagnostics;
using MixedPrecision.Caching;
using MixedPrecision.Calibration;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Benchmarks;

/// <summary>What calibrating one sample costs, over one forward pass of it in ONNX Runtime with an app's settings.</summary>
internal static class CalibrationBenchmark
{
    private const int MostSamples = 64;
    private const int Rounds = 5;

    public static int Run(IReadOnlyList<string> policies)
    {
        Console.WriteLine("policy                         forward    taylor  measured  formats");
        foreach (string policy in policies)
        {
            var options = new RunOptions(null, null, _ => { }, w => Console.Error.WriteLine(w.Message), CancellationToken.None);
            using Materials run = Materials.Open(policy, options, new StageRunner(new ContentStore(ContentStore.DefaultFolder()), new RunLog(options)));
            Compare(Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(policy)))!, run);
        }

        return 0;
    }

    private static void Compare(string name, Materials run)
    {
        Workspace workspace = run.Workspace;
        Sample[] samples = [.. run.Data.Calibration.Value.Take(MostSamples)];
        int threads = run.Policy.Runtime.Threads;
        using Session session = Session.Open(workspace.Path, SessionSettings.Default with { Threads = threads });

        double Forward() => Seconds(() => Array.ForEach(samples, s => session.RunInPlace(s.Inputs, CancellationToken.None).Dispose())) / samples.Length;

        // The first sample warms everything up: what counts is the time from its end to the end of all.
        double Calibrate(IReadOnlyList<NumberFormat> formats)
        {
            long start = 0;
            Calibrator.Run(
                new CalibrationRequest(workspace.Model, workspace.Partition, workspace.Types, workspace.Sites, formats, run.Loss.Value, samples, threads),
                update => start = start == 0 && update.Fraction > (1.0 / samples.Length) - 1e-9 ? Stopwatch.GetTimestamp() : start,
                CancellationToken.None);
            return Stopwatch.GetElapsedTime(start).TotalSeconds / (samples.Length - 1);
        }

        NumberFormat[] formats = [.. run.Policy.Formats.Select(NumberFormats.Get)];
        Forward();
        double[] forward = new double[Rounds], taylor = new double[Rounds], measured = new double[Rounds];
        for (int round = 0; round < Rounds; round++)
        {
            forward[round] = Forward();
            taylor[round] = Calibrate([NumberFormats.Baseline]);
            measured[round] = Calibrate(formats);
        }

        double baseline = Median(forward);
        Console.WriteLine($"{name,-24} {baseline * 1000,10:0.00} ms {Median(taylor) / baseline,8:0.00} {Median(measured) / baseline,9:0.00} {formats.Length - 1,8}");
    }

    private static double Seconds(Action work)
    {
        long start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);
}
