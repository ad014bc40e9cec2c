using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>An app that is compiled to the machine's own code.</summary>
public sealed class NativeAotTests
{
    [Fact]
    public void The_model_lies_beside_it()
    {
        using var app = new PackagedApp(isIsolated: false);
        app.WritePolicy();
        app.WriteProject(
            properties: "<MixedPrecisionPolicy>model.policy.yaml</MixedPrecisionPolicy><PublishAot>true</PublishAot><InvariantGlobalization>true</InvariantGlobalization>",
            program: "System.Console.WriteLine(System.IO.File.Exists(System.IO.Path.Combine(System.AppContext.BaseDirectory, \"model.mixed.onnx\")));");
        ProcessRun published = app.Dotnet("publish", "-o", "out", "-r", RuntimeInformation.RuntimeIdentifier);
        Assert.Equal(1, app.Runs());
        if (published.Output.Contains("Platform linker not found", StringComparison.Ordinal))
        {
            // The machine has no linker: as far as it goes without one.
            Assert.NotEmpty(Directory.GetFiles(app["obj"], "model.mixed.onnx", SearchOption.AllDirectories));
            return;
        }

        Assert.True(published.ExitCode == 0, published.All);
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed"));
        Assert.Empty(Directory.GetFiles(app["out"], "*.dll"));
        using Process run = Process.Start(new ProcessStartInfo(app["out/App"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Assert.Equal("True", ProcessRun.End(run).Output.Trim());
    }
}
