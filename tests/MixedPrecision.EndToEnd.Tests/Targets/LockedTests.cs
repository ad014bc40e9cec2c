using MixedPrecision.EndToEnd.Tests.Cli;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>A policy with a lock: by the command line, and by MSBuild with the real tool.</summary>
public sealed class LockedTests : IClassFixture<AppFixture>
{
    private readonly AppFixture app;

    public LockedTests(AppFixture app)
    {
        this.app = app;
        app.Reset();
    }

    [Fact]
    public void The_property_is_handed_over_and_without_a_lock_it_fails()
    {
        Assert.Equal(0, app.Publish("-p:MixedPrecisionLocked=true").ExitCode);
        Assert.Contains("|--locked|", Assert.Single(app.RunLines), StringComparison.Ordinal);
        // What was emitted without the property does not count with it, and the other way round.
        Assert.Equal(0, app.Publish().ExitCode);
        Assert.DoesNotContain("--locked", app.RunLines[^1], StringComparison.Ordinal);
        Assert.Equal(2, app.Runs);

        using var model = new SmallModel();
        ProcessRun failed = Run(model);
        Assert.NotEqual(0, failed.ExitCode);
        Assert.Contains($"{model["model.precision.lock.json"]} : error MPB8008: ", failed.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_publish_with_a_lock_measures_nothing_and_a_model_that_drifted_fails()
    {
        using var model = new SmallModel();
        ProcessRun locked = model.Tool("lock", model.Policy, "--cache", model.Cache);
        Assert.True(locked.ExitCode == 0, locked.All);
        Assert.Contains("calibrate: started", locked.Error, StringComparison.Ordinal);
        Assert.Contains("locked: model.precision.lock.json", locked.Output, StringComparison.Ordinal);

        File.Delete(model["calibration.jsonl"]);
        Directory.Delete(model.Cache, recursive: true);
        ProcessRun published = Run(model);
        Assert.True(published.ExitCode == 0, published.All);
        Assert.Contains("nothing is measured", published.Output, StringComparison.Ordinal);
        Assert.All(["calibrate", "benchmark", "solve", "compare", "evaluate"], stage => Assert.DoesNotContain(stage + ": started", published.Output, StringComparison.Ordinal));
        byte[] emitted = File.ReadAllBytes(app.Stage("emitted/model.mixed.onnx"));
        ProcessRun byTool = model.Tool([.. model.Quantize(), "--locked"]);
        Assert.True(byTool.ExitCode == 0, byTool.All);
        Assert.Equal(emitted, File.ReadAllBytes(Path.Combine(model.Output, "model.mixed.onnx")));

        byte[] bytes = File.ReadAllBytes(model["model.onnx"]);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(model["model.onnx"], bytes);
        ProcessRun drifted = Run(model);
        Assert.NotEqual(0, drifted.ExitCode);
        Assert.Contains($"{model.Policy}(1,8): error MPB8010: ", drifted.Output, StringComparison.Ordinal);

        File.Delete(model["model.precision.lock.json"]);
        ProcessRun missing = Run(model);
        Assert.Contains("error MPB8008: ", missing.Output, StringComparison.Ordinal);
    }

    private ProcessRun Run(SmallModel model) => app.Target(
        "_MixedPrecisionQuantize",
        $"-p:MixedPrecisionToolPath={Path.Combine(AppContext.BaseDirectory, "mixed-precision.dll")}",
        $"-p:MixedPrecisionPolicy={model.Policy}",
        $"-p:MixedPrecisionCacheDirectory={model.Cache}",
        "-p:MixedPrecisionLocked=true",
        "-v:detailed");
}
