namespace MixedPrecision.EndToEnd.Tests.Packages;

/// <summary>The command line as a .NET tool.</summary>
[Collection(nameof(RepositoryBuilds))]
public sealed class ToolTests(PackedFixture packed)
{
    [Fact]
    public void It_is_installed_from_a_feed_and_runs()
    {
        string tools = packed.NewFolder("tools"), folder = packed.NewFolder("tool user");
        ProcessRun installed = packed.Dotnet(folder, packed.Packages, "tool", "install", "MixedPrecision.Cli", "--version", PackedFixture.Version, "--tool-path", tools);
        Assert.True(installed.ExitCode == 0, installed.All);
        Assert.Contains("mixed-precision", installed.Output, StringComparison.Ordinal);

        string command = Path.Combine(tools, OperatingSystem.IsWindows() ? "mixed-precision.exe" : "mixed-precision");
        Shows(ProcessRun.Of(command, folder, [.. packed.Model.Environment, ("DOTNET_ROOT", Path.GetDirectoryName(ProcessRun.DotnetHost))], "inspect", packed.Model["model.onnx"]));
    }

    [Fact]
    public void It_runs_without_being_installed() => Shows(packed.Dotnet(
        packed.NewFolder("passer-by"), packed.Packages, "tool", "exec", $"MixedPrecision.Cli@{PackedFixture.Version}", "--yes", "--", "inspect", packed.Model["model.onnx"]));

    private static void Shows(ProcessRun run)
    {
        Assert.True(run.ExitCode == 0, run.All);
        Assert.Contains("2 layers", run.Output, StringComparison.Ordinal);
    }
}
