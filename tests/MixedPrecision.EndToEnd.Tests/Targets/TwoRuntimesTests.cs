using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>Two runtime identifiers, published at once.</summary>
public sealed class TwoRuntimesTests
{
    [Fact]
    public async System.Threading.Tasks.Task Each_gets_the_model()
    {
        using var app = new PackagedApp();
        app.WritePolicy(more: "wait: 1000\n");
        string own = RuntimeInformation.RuntimeIdentifier;
        // No host and no pack of a runtime that would have to be fetched.
        app.WriteProject(framework: $"""
            <TargetFramework>net10.0</TargetFramework><RuntimeIdentifiers>{own};win-x64;osx-arm64</RuntimeIdentifiers><UseAppHost>false</UseAppHost><SelfContained>false</SelfContained>
            <EnableRuntimePackDownload>false</EnableRuntimePackDownload><EnableAppHostPackDownload>false</EnableAppHostPackDownload>
            """);
        app.Succeed("restore");
        string[] runtimes = [own, own == "win-x64" ? "osx-arm64" : "win-x64"];
        Process[] publishes = [.. runtimes.Select(runtime => ProcessRun.StartDotnet(
            app.Folder, [("NUGET_PACKAGES", app.Packages)], "publish", "--no-restore", "-r", runtime, "-o", runtime, "-nodeReuse:false"))];
        ProcessRun[] runs = await System.Threading.Tasks.Task.WhenAll(publishes.Select(publish => System.Threading.Tasks.Task.Run(() => ProcessRun.End(publish))));
        Array.ForEach(publishes, publish => publish.Dispose());

        Assert.All(runs, run => Assert.True(run.ExitCode == 0, run.All));
        Assert.All(runtimes, runtime => Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed", runtime)));
        // The tool is told of each, and warns of one that is not the machine's.
        Assert.All(runtimes, runtime => Assert.Contains($"|--runtime-identifier|{runtime}|", app.Read("runs.txt"), StringComparison.Ordinal));
        Assert.All(runtimes, runtime => Assert.EndsWith("wait: 1000\ndata", app.Read(runtime + "/model.mixed.onnx"), StringComparison.Ordinal));
    }
}
