namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>Folders whose names have what MSBuild, shells and URLs give a meaning.</summary>
public sealed class OddFoldersTests
{
    // Not given to dotnet, whose own option for it takes no semicolon.
    private const string Out = "bin/Release/net10.0/publish";

    [Theory]
    [InlineData("a b @é'#$x&")]
    [InlineData("a;b")]
    public void Policy_cache_and_models_are_found_and_emitted(string folder)
    {
        using var app = new PackagedApp(folder);
        app.WritePolicy("models/it's; $(one).policy.yaml", "output: one.mixed.onnx\n");
        app.Write("models/model.onnx", "original");
        app.WritePolicy();
        app.WriteProject(
            properties: "<MixedPrecisionPolicy>model.policy.yaml</MixedPrecisionPolicy><MixedPrecisionCacheDirectory>my cache</MixedPrecisionCacheDirectory>",
            items: """
                <MixedPrecisionModel Include="models/*.policy.yaml" Replace="true" />
                <None Update="models/model.onnx" CopyToOutputDirectory="PreserveNewest" />
                """);
        ProcessRun first = app.Succeed("publish");
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json", "models/model.onnx", "models/one.mixed.precision.json"], [.. app.Published("model.", Out), .. app.Published("one.", Out)]);
        Assert.StartsWith("emit", app.Read(Out + "/models/model.onnx"), StringComparison.Ordinal);
        string[] arguments = app.Read("runs.txt").Split('|');
        Assert.Equal(app["model.policy.yaml"], arguments[1]);
        Assert.Equal(app["my cache"], arguments[5]);
        Assert.Contains("report: " + app["obj/Release/net10.0/mixed-precision/emitted/model.mixed.report.txt"], first.Output, StringComparison.Ordinal);

        ProcessRun second = app.Succeed("publish", "--no-restore");
        Assert.Equal((1, 1), (app.Runs(), app.Runs("models")));
        Assert.Equal(2, second.Output.Split("; reused, nothing changed").Length - 1);
        app.Succeed("clean");
        Assert.Empty(Directory.GetDirectories(app["obj"], "mixed-precision", SearchOption.AllDirectories));
    }
}
