namespace MixedPrecision.EndToEnd.Tests.Cli;

/// <summary>The tool as a process.</summary>
public sealed class CommandLineTests
{
    [Fact]
    public void Help_lists_the_verbs()
    {
        ProcessRun run = Tool("--help");

        Assert.Equal(0, run.ExitCode);
        Assert.All(["inspect <MODEL>", "calibrate <POLICY>", "benchmark <POLICY>", "solve <POLICY>", "quantize <POLICY>"], verb => Assert.Contains(verb, run.Output, StringComparison.Ordinal));
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
    public void For_MSBuild_an_error_is_a_JSON_line_on_standard_output()
    {
        ProcessRun run = Tool("solve", "--log-format", "msbuild");

        Assert.Equal(1, run.ExitCode);
        Assert.Empty(run.Error);
        Assert.Equal("MPB9002", Build.ToolEvent.TryParse(run.Output.Trim())?.Code);
    }

    private static ProcessRun Tool(params string[] arguments) =>
        ProcessRun.Dotnet(AppContext.BaseDirectory, ["exec", Path.Combine(AppContext.BaseDirectory, "mixed-precision.dll"), .. arguments]);
}
