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
        ProcessRun failed = Publish(model);
        Assert.NotEqual(0, failed.ExitCode);
        Assert.Contains($"{model["model.precision.lock.json"]} : error MPB8008: ", failed.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_publish_with_a_lock_publishes_the_locked_bytes_and_measures_nothing()
    {
        using var model = new SmallModel();
        Assert.Equal(0, model.Tool(model.Quantize()).ExitCode);
        ProcessRun locked = model.Tool("lock", model.Policy, "--cache", model.Cache);
        Assert.True(locked.ExitCode == 0, locked.All);
        Assert.Contains("locked: model.precision.lock.json", locked.Output, StringComparison.Ordinal);

        File.Delete(model["calibration.jsonl"]);
        Directory.Delete(model.Cache, recursive: true);
        ProcessRun published = Publish(model);
        Assert.True(published.ExitCode == 0, published.All);
        Assert.Contains("nothing is measured", published.Output, StringComparison.Ordinal);
        Assert.All(
            ["observe", "calibrate", "benchmark", "solve", "frontier", "strategies", "compare", "evaluate", "advise"],
            stage => Assert.DoesNotContain(stage + ": started", published.Output, StringComparison.Ordinal));
        Assert.All(
            [AppFixture.Model, AppFixture.Manifest],
            file => Assert.Equal(File.ReadAllBytes(Path.Combine(model.Output, file)), File.ReadAllBytes(app.Published(file))));
        Assert.Equal(File.ReadAllBytes(Path.Combine(model.Output, AppFixture.Report)), File.ReadAllBytes(app.Stage("emitted/" + AppFixture.Report)));

        // From nothing once more, by the tool: the same bytes.
        Directory.Delete(model.Cache, recursive: true);
        Directory.Delete(model.Output, recursive: true);
        ProcessRun byTool = model.Tool([.. model.Quantize(), "--locked", "--onnxruntime", model["none.so"], "--onnxruntime-version", "1.2.3"]);
        Assert.True(byTool.ExitCode == 0, byTool.All);
        Assert.Contains("model.precision.lock.json: warning MPB9011: The app runs ONNX Runtime 1.2.3, and the lock was made with ", Assert.Single(byTool.Error.Split('\n'), line => line.Contains("MPB9011", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(app.Published(AppFixture.Model)), File.ReadAllBytes(Path.Combine(model.Output, AppFixture.Model)));
    }

    [Fact]
    public void A_policy_or_a_model_that_drifted_from_its_lock_publishes_nothing()
    {
        using var model = new SmallModel();
        Assert.Equal(0, model.Tool("lock", model.Policy, "--cache", model.Cache).ExitCode);
        string policy = File.ReadAllText(model.Policy);
        File.WriteAllText(model.Policy, policy.Replace("budget: 1%", "budget: 2%", StringComparison.Ordinal));
        ProcessRun drifted = Publish(model);
        Assert.NotEqual(0, drifted.ExitCode);
        Assert.Contains($"{model.Policy}(2,9): error MPB8011: ", drifted.Output, StringComparison.Ordinal);
        Assert.Contains("found '2%', locked '1%'", drifted.Output, StringComparison.Ordinal);

        File.WriteAllText(model.Policy, policy);
        byte[] bytes = File.ReadAllBytes(model["model.onnx"]);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(model["model.onnx"], bytes);
        drifted = Publish(model);
        Assert.NotEqual(0, drifted.ExitCode);
        Assert.Contains($"{model.Policy}(1,8): error MPB8010: ", drifted.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(app.Published(AppFixture.Model)));

        File.Delete(model["model.precision.lock.json"]);
        Assert.Contains("error MPB8008: ", Publish(model).Output, StringComparison.Ordinal);
    }

    /// <summary>As an app whose policy is the model's, with the real tool.</summary>
    private ProcessRun Publish(SmallModel model) => app.Publish(
        $"-p:MixedPrecisionToolPath={Path.Combine(AppContext.BaseDirectory, "mixed-precision.dll")}",
        $"-p:MixedPrecisionPolicy={model.Policy}",
        $"-p:MixedPrecisionCacheDirectory={model.Cache}",
        "-p:MixedPrecisionLocked=true",
        "-v:detailed");
}
