using System.Diagnostics;
using System.Text.Json;

namespace MixedPrecision.EndToEnd.Tests.Cli;

/// <summary>The tool as a process.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("mixed précision ").FullName;

    [Fact]
    public void Help_lists_the_verbs()
    {
        ProcessRun run = Tool("--help");

        Assert.Equal(0, run.ExitCode);
        Assert.All(["inspect <MODEL>", "calibrate <POLICY>", "benchmark <POLICY>", "solve <POLICY>", "frontier <POLICY>", "explain <POLICY>", "quantize <POLICY>", "validate <POLICY>", "report <MANIFEST>"], verb => Assert.Contains(verb, run.Output, StringComparison.Ordinal));
        Assert.DoesNotContain("log-format", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_command_line_is_an_error_of_one_line()
    {
        ProcessRun run = Tool("quantize");

        Assert.Equal(1, run.ExitCode);
        Assert.Empty(run.Output);
        Assert.StartsWith("error MPB9002: ", run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
    }

    [Fact]
    public void Experiments_need_a_sample()
    {
        ProcessRun run = Tool("validate", "p.yaml", "--output", Path.Combine(folder, "out"), "--samples", "0");

        Assert.Equal(1, run.ExitCode);
        Assert.StartsWith("error MPB9002: ", run.Error, StringComparison.Ordinal);
        Assert.Contains("--samples has to be at least 1", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Parts_and_a_whole_are_not_timed_in_one_run()
    {
        ProcessRun run = Tool("benchmark", "p.yaml", "--export", "device.profile.json", "--emitted", "model.mixed.onnx");

        Assert.Equal(1, run.ExitCode);
        Assert.StartsWith("error MPB9002: --export and --emitted exclude each other", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void For_MSBuild_an_error_is_a_JSON_line_on_standard_output()
    {
        ProcessRun run = Tool("solve", "--log-format", "msbuild");

        Assert.Equal(1, run.ExitCode);
        Assert.Empty(run.Error);
        Assert.Equal("MPB9002", Build.ToolEvent.TryParse(run.Output.Trim())?.Code);
    }

    [Fact]
    public void Inspect_of_a_missing_model_is_an_error()
    {
        ProcessRun run = Tool("inspect", "nowhere.onnx");

        Assert.Equal(1, run.ExitCode);
        Assert.Empty(run.Output);
        Assert.StartsWith("nowhere.onnx: error MPB2001: ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_is_one_document_alone_on_standard_output()
    {
        ProcessRun run = Tool("inspect", Repository.Path("samples/DocArea/model.onnx"), "--json");

        Assert.Equal(0, run.ExitCode);
        using JsonDocument document = JsonDocument.Parse(run.Output);
        int layers = document.RootElement.GetProperty("subgraphs").EnumerateArray().Sum(subgraph => subgraph.GetProperty("layers").GetArrayLength());
        Assert.Equal(34, layers);
    }

    [Fact]
    public void A_wrong_policy_is_an_error_with_its_place_and_writes_nothing()
    {
        string policy = Path.Combine(folder, "p.yaml");
        File.WriteAllText(policy, "model: model.onnx\nbugdet: 1%\n");
        string output = Path.Combine(folder, "out");
        string inputs = Path.Combine(folder, "inputs.txt");
        ProcessRun run = Tool("quantize", policy, "--output", output, "--inputs-file", inputs, "--cache", Path.Combine(folder, "cache"));

        Assert.Equal(1, run.ExitCode);
        Assert.StartsWith($"{policy}(2,1): error MPB1005: ", run.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(output));
        Assert.False(File.Exists(inputs));
    }

    [Fact]
    public void A_cancelled_run_ends_soon_with_130_and_leaves_nothing()
    {
        string output = Path.Combine(folder, "out");
        string inputs = Path.Combine(folder, "inputs.txt");
        using Process process = ProcessRun.StartDotnet(folder, Arguments(
            ["quantize", Repository.Path("samples/DocArea/model.policy.yaml"), "--output", output, "--inputs-file", inputs, "--cache", Path.Combine(folder, "cache")]));
        // The run is on its way once a stage of some length has begun.
        for (string? line = ""; !line.StartsWith("calibrate: ", StringComparison.Ordinal);)
        {
            line = process.StandardError.ReadLine();
            Assert.NotNull(line);
        }
        long began = Stopwatch.GetTimestamp();
        using (Process kill = Process.Start("kill", ["-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
        {
            kill.WaitForExit();
        }
        bool ended = process.WaitForExit(TimeSpan.FromSeconds(20));
        TimeSpan took = Stopwatch.GetElapsedTime(began);
        if (!ended)
        {
            process.Kill();
        }

        Assert.True(ended, "The run did not end.");
        Assert.Equal(130, process.ExitCode);
        // Two seconds are promised; a busy machine gets some more.
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(4));
        Assert.False(File.Exists(inputs));
        Assert.Empty(Directory.Exists(output) ? Directory.GetFileSystemEntries(output) : []);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static ProcessRun Tool(params string[] arguments) => ProcessRun.Dotnet(AppContext.BaseDirectory, Arguments(arguments));

    private static string[] Arguments(string[] arguments) => ["exec", Path.Combine(AppContext.BaseDirectory, "mixed-precision.dll"), .. arguments];
}
