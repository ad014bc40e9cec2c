using System.Runtime.InteropServices;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>One file that carries the runtime.</summary>
public sealed class SelfContainedTests
{
    [Fact]
    public void The_model_lies_beside_the_file()
    {
        using var app = new PackagedApp(isIsolated: false);
        app.WritePolicy();
        app.WriteProject(program: "System.Console.WriteLine(System.IO.File.Exists(System.IO.Path.Combine(System.AppContext.BaseDirectory, \"model.mixed.onnx\")));");
        app.Publish("-r", RuntimeInformation.RuntimeIdentifier, "--self-contained", "-p:PublishSingleFile=true");
        Assert.Equal(["App", "App.pdb", "model.mixed.onnx", "model.mixed.precision.json"], app.Published("").Select(file => file.EndsWith(".exe", StringComparison.Ordinal) ? file[..^4] : file));
        using var run = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo(app["out/App"]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        Assert.Equal("True", ProcessRun.End(run).Output.Trim());
    }
}
