using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>One file that needs the machine's runtime.</summary>
public sealed class SingleFileTests
{
    [Fact]
    public void One_that_extracts_itself_has_the_model_within_and_any_other_beside_it()
    {
        using var app = new PackagedApp(isIsolated: false);
        app.WritePolicy();
        app.WriteProject(program: "System.Console.WriteLine(System.IO.File.Exists(System.IO.Path.Combine(System.AppContext.BaseDirectory, \"model.mixed.onnx\")));");
        string[] oneFile = ["-r", RuntimeInformation.RuntimeIdentifier, "--self-contained", "false", "-p:PublishSingleFile=true"];
        app.Publish([.. oneFile, "-p:IncludeAllContentForSelfExtract=true"]);
        Assert.Empty(app.Published("model.mixed"));
        Assert.Equal("True", RunPublished(app));

        app.Publish(oneFile);
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed"));
        Assert.Equal("True", RunPublished(app));
    }

    private static string RunPublished(PackagedApp app)
    {
        var start = new ProcessStartInfo(app["out/App"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["DOTNET_ROOT"] = Path.GetDirectoryName(ProcessRun.DotnetHost);
        start.Environment["DOTNET_BUNDLE_EXTRACT_BASE_DIR"] = app["extracted"];
        using Process process = Process.Start(start)!;
        return ProcessRun.End(process).Output.Trim();
    }
}
