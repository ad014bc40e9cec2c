using System.Diagnostics;
using System.Text.RegularExpressions;

namespace MixedPrecision.EndToEnd.Tests.Samples;

/// <summary>The sample EmbeddingSearch as it was built, beside a mixed model that a quick run of the tool emitted, on a port that was free.</summary>
public sealed partial class SearchApp : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("search app ").FullName;
    private readonly Process process;

    public SearchApp()
    {
        string sample = Repository.Path("samples/EmbeddingSearch"), built = Path.Combine(sample, "bin", Repository.Configuration, "net10.0");
        foreach (string file in Directory.EnumerateFiles(built, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(folder, Path.GetRelativePath(built, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        Emit(sample);
        process = ProcessRun.StartDotnet(folder, "EmbeddingSearch.dll", "--urls", "http://127.0.0.1:0");
        process.ErrorDataReceived += (_, line) => Log += line.Data + "\n";
        process.BeginErrorReadLine();
        while (process.StandardOutput.ReadLine() is string line)
        {
            Log += line + "\n";
            if (Address().Match(line) is { Success: true } address)
            {
                Client = new HttpClient { BaseAddress = new Uri(address.Value), Timeout = TimeSpan.FromSeconds(20) };
                return;
            }
        }

        process.WaitForExit();
        Dispose();
        throw new InvalidOperationException(Log);
    }

    public HttpClient Client { get; } = new();

    /// <summary>What it wrote until it could be asked.</summary>
    public string Log { get; private set; } = "";

    public void Dispose()
    {
        process.Kill();
        process.WaitForExit();
        process.Dispose();
        Client.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>For size, so that nothing is timed, with few samples and plain rounding.</summary>
    private void Emit(string sample)
    {
        string policy = Path.Combine(folder, "quick.policy.yaml");
        File.WriteAllText(policy, $$"""
            model: model.onnx
            budget: 5%
            objective: memory
            formats: ["int8-dynamic(rounded)"]
            calibration: { data: '{{Path.Combine(sample, "calibration.jsonl")}}', loss: output-mse, samples: 8 }
            evaluation: { data: '{{Path.Combine(sample, "evaluation.jsonl")}}', samples: 16 }
            """);
        ProcessRun run = ProcessRun.Dotnet(folder, "exec", Path.Combine(AppContext.BaseDirectory, "mixed-precision.dll"), "quantize", policy, "--output", Path.Combine(folder, "emitted"), "--cache", Path.Combine(folder, "cache"));
        Assert.True(run.ExitCode == 0, run.All);
        File.Copy(Path.Combine(folder, "emitted", "model.mixed.onnx"), Path.Combine(folder, "model.mixed.onnx"));
    }

    [GeneratedRegex("http://127\\.0\\.0\\.1:[0-9]+")]
    private static partial Regex Address();
}
