using System.Net.Sockets;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>A machine that no other can be reached from: restore, build and publish. That the tool opens no socket of whatever kind is tested by itself.</summary>
public sealed class NoNetworkTests
{
    private static readonly string[] WithoutNetwork = ["exec", Path.Combine(AppContext.BaseDirectory, "fake-tool.dll"), "--without-network", ProcessRun.DotnetHost];

    [Fact]
    public void It_publishes()
    {
        using var app = new PackagedApp();
        app.WritePolicy();
        app.WriteProject();
        app.Succeed([.. WithoutNetwork, "publish", "-o", "out"]);
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed"));
    }

    [Fact]
    public void The_filter_that_takes_the_network_away_does_and_leaves_what_stays_on_the_machine()
    {
        string[] arguments = [.. WithoutNetwork, "exec", Path.Combine(AppContext.BaseDirectory, "fake-tool.dll"), "--open-socket"];

        Assert.Contains(nameof(SocketException), ProcessRun.Dotnet(AppContext.BaseDirectory, arguments).Error, StringComparison.Ordinal);
        Assert.Equal(0, ProcessRun.Dotnet(AppContext.BaseDirectory, [.. arguments, "unix"]).ExitCode);
    }
}
