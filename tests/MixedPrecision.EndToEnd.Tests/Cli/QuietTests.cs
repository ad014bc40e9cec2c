using System.Diagnostics;

namespace MixedPrecision.EndToEnd.Tests.Cli;

/// <summary>What a run does besides its work: nothing.</summary>
public sealed class QuietTests : IDisposable
{
    private const int EndedBySystemCallFilter = 159;

    private static readonly string FakeTool = Path.Combine(AppContext.BaseDirectory, "fake-tool.dll");

    private readonly SmallModel model = new();

    [Fact]
    public void A_run_opens_no_socket_and_writes_to_cache_output_and_temporary_folder_alone()
    {
        string[] before = Files(model.Folder);
        ProcessRun run = ProcessRun.Dotnet(model.Folder, model.Environment, ["exec", FakeTool, "--without-sockets", ProcessRun.DotnetHost, .. SmallModel.Command(model.Quantize())]);

        Assert.True(run.ExitCode == 0, run.All);
        Assert.Empty(Files(model.Home));
        Assert.Equal(before, Files(model.Folder));
        Assert.Equal(["mixed-precision-benchmark.lock"], Files(model.Temporary));
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json", "model.mixed.report.html"], Files(model.Output));
        // Every line is a stage's: the runtime has nothing to say of itself.
        Assert.All(run.Error.TrimEnd().Split('\n'), line => Assert.Matches("^(?!onnxruntime)[a-z]+: |warning MPB[0-9]{4}: ", line));
    }

    [Fact]
    public void The_filter_that_looks_out_for_sockets_finds_one()
    {
        string[] opening = ["exec", FakeTool, "--open-socket"];

        Assert.Equal(0, ProcessRun.Dotnet(model.Folder, model.Environment, opening).ExitCode);
        Assert.Equal(EndedBySystemCallFilter, ProcessRun.Dotnet(model.Folder, model.Environment, ["exec", FakeTool, "--without-sockets", ProcessRun.DotnetHost, .. opening]).ExitCode);
    }

    [Fact]
    public void Of_two_runs_of_a_policy_the_second_waits_says_so_and_reuses_the_first_ones_results()
    {
        string other = Path.Combine(model.Home, "out");
        using Process first = ProcessRun.StartDotnet(model.Folder, model.Environment, SmallModel.Command(model.Quantize()));
        // Its first line of progress: it has the lock.
        string begins = first.StandardError.ReadLine()!;
        ProcessRun second = ProcessRun.Dotnet(model.Folder, model.Environment, SmallModel.Command(model.Quantize(output: other)));
        ProcessRun ended = ProcessRun.End(first);

        Assert.True(ended.ExitCode == 0, begins + ended.All);
        Assert.True(second.ExitCode == 0, second.All);
        Assert.StartsWith("quantize: waits for another run of this policy, whose results it then reuses" + Environment.NewLine, second.Error, StringComparison.Ordinal);
        Assert.Contains("calibrate: reused", second.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(": started", second.Error, StringComparison.Ordinal);
        Assert.All(Files(model.Output), file => Assert.Equal(File.ReadAllBytes(Path.Combine(model.Output, file)), File.ReadAllBytes(Path.Combine(other, file))));
        Assert.Equal(3, Files(other).Length);
    }

    public void Dispose() => model.Dispose();

    private static string[] Files(string folder) =>
        [.. Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(folder, file)).Order(StringComparer.Ordinal)];
}
