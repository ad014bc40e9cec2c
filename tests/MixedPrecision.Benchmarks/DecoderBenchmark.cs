using System.Diagnostics;
using System.Globalization;
using MixedPrecision.Data;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Benchmarks;

/// <summary>Memory and time of calibrating a decoder that may be larger than memory, over one forward pass of it.</summary>
internal static class DecoderBenchmark
{
    private const int Threads = 2;

    /// <summary>Writes the model, token ids and policies for both kinds of calibration, once.</summary>
    public static int Make(string name, string folder, int samples, int tokens)
    {
        DecoderShape shape = DecoderShape.Known[name];
        if (!File.Exists(Path.Combine(folder, "model.onnx")))
        {
            DecoderModel.Write(shape, folder);
        }

        var random = new Random(1);
        using (StreamWriter lines = File.CreateText(Path.Combine(folder, "calibration.jsonl")))
        {
            for (int sample = 0; sample < samples; sample++)
            {
                lines.WriteLine($"{{\"input_ids\": [[{string.Join(",", Enumerable.Range(0, tokens).Select(_ => random.Next(shape.Vocabulary)))}]]}}");
            }
        }

        foreach ((string file, string formats) in new[] { ("taylor", "[fp32]"), ("measured", "[fp32, int8-dynamic, int8-weight, int4-weight]") })
        {
            File.WriteAllText(Path.Combine(folder, file + ".policy.yaml"), $$"""
                model: model.onnx
                budget: 1%
                formats: {{formats}}
                calibration: { data: calibration.jsonl, loss: next-token }
                runtime: { threads: {{Threads}} }

                """);
        }

        Console.WriteLine($"{name}: {new FileInfo(Path.Combine(folder, "model.onnx.data")).Length / 1e9:0.00} GB of weights");
        return 0;
    }

    /// <summary>Time of one forward pass in ONNX Runtime with an app's settings, best of three.</summary>
    public static int Forward(string folder)
    {
        using OnnxModel model = OnnxModel.Load(Path.Combine(folder, "model.onnx"));
        IReadOnlyList<Sample> samples = SampleReader.Read(
            Path.Combine(folder, "calibration.jsonl"), "calibration.jsonl", [.. model.Inputs.Select(i => new InputDeclaration(i.Name, TensorType.Read(i.Type)))], null, 1);
        using Session session = Session.Open(Path.Combine(folder, "model.onnx"), SessionSettings.Default with { Threads = Threads });
        double[] seconds = [.. Enumerable.Range(0, 3).Select(_ => Seconds(() => session.RunInPlace(samples[0].Inputs, CancellationToken.None).Dispose()))];
        Console.WriteLine(seconds.Min().ToString("0.000", CultureInfo.InvariantCulture));
        return 0;
    }

    /// <summary>Calibrates; prints seconds a sample, also over a forward pass where the model fits into memory, and the peak of resident memory.</summary>
    /// <param name="policy">`taylor` or `measured`.</param>
    public static int Calibrate(string folder, string policy, double? forward)
    {
        string cache = Directory.CreateTempSubdirectory("mixed-precision").FullName;
        try
        {
            long start = Stopwatch.GetTimestamp(), told = start, further = 0;
            int samples = 0;
            Verbs.Calibrate(Path.Combine(folder, policy + ".policy.yaml"), new RunOptions(
                cache,
                null,
                update =>
                {
                    if (update.Fraction is double fraction && Stopwatch.GetElapsedTime(told).TotalSeconds > 30)
                    {
                        told = Stopwatch.GetTimestamp();
                        Console.Error.WriteLine($"{Stopwatch.GetElapsedTime(start).TotalSeconds:0} s: {update.Text}, {fraction:P1}, {update.Left:mm\\:ss} left, {Resident("VmRSS:")}");
                    }

                    // The second sample starts when the first, which pays for hashing and compiling, has ended.
                    further = further == 0 && update.Text.StartsWith("sample 2 ", StringComparison.Ordinal) ? Stopwatch.GetTimestamp() : further;
                    samples = update.Text.StartsWith("sample ", StringComparison.Ordinal) ? int.Parse(update.Text.Split(' ')[3], CultureInfo.InvariantCulture) : samples;
                },
                warning => Console.Error.WriteLine(warning.Message),
                CancellationToken.None));
            double total = Stopwatch.GetElapsedTime(start).TotalSeconds, each = further == 0 ? 0 : Stopwatch.GetElapsedTime(further).TotalSeconds / (samples - 1);
            Console.WriteLine($"{policy}: {total:0.0} s for {samples} samples, {total - (each * (samples - 1)):0.0} s of it up to the end of the first");
            if (further > 0)
            {
                Console.WriteLine($"each further sample: {each:0.00} s{(forward is double f ? $", {each / f:0.00} forward passes of {f:0.00} s" : "")}");
            }

            Console.WriteLine($"peak of resident memory: {Resident("VmHWM:")}");
            return 0;
        }
        finally
        {
            Directory.Delete(cache, true);
        }
    }

    private static string Resident(string line) =>
        OperatingSystem.IsLinux()
            ? $"{long.Parse(File.ReadLines("/proc/self/status").First(l => l.StartsWith(line, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)[^2], CultureInfo.InvariantCulture) / 1048576.0:0.00} GiB"
            : $"{Process.GetCurrentProcess().PeakWorkingSet64 / (double)(1 << 30):0.00} GiB";

    private static double Seconds(Action work)
    {
        long start = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
