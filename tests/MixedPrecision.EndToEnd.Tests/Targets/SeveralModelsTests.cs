namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>A project with several models: items, each with a policy of its own, beside the property or without it.</summary>
public sealed class SeveralModelsTests : IDisposable
{
    private readonly PackagedApp app = new();

    [Fact]
    public void Each_is_published_and_runs_again_by_itself()
    {
        app.WritePolicy("a/a.policy.yaml", "output: a.mixed.onnx\n");
        app.WritePolicy("b/b.policy.yaml", "output: b.mixed.onnx\n");
        app.WriteProject(properties: "", items: "<MixedPrecisionModel Include=\"*/*.policy.yaml\" />");
        ProcessRun first = app.Publish();
        Assert.Equal(["a.mixed.onnx", "a.mixed.precision.json"], app.Published("a.mixed"));
        Assert.Equal(["b.mixed.onnx", "b.mixed.precision.json"], app.Published("b.mixed"));
        Assert.Contains("App -> out/\n      a.mixed: 1.62× faster", first.Output, StringComparison.Ordinal);
        Assert.Contains("    b.mixed: 1.62× faster", first.Output, StringComparison.Ordinal);

        app.Write("b/data.txt", "changed");
        ProcessRun second = app.Publish();
        Assert.Equal((1, 2), (app.Runs("a"), app.Runs("b")));
        Assert.EndsWith("changed", app.Read("out/b.mixed.onnx"), StringComparison.Ordinal);
        Assert.Contains("    a.mixed: 1.62× faster, 13.6 → 8.35 MB; reused, nothing changed\n", second.Output, StringComparison.Ordinal);
        Assert.Contains("    b.mixed: 1.62× faster, 13.6 → 8.35 MB\n", second.Output, StringComparison.Ordinal);

        // One that is taken away is published no longer.
        Directory.Delete(app["out"], recursive: true);
        File.Delete(app["b/b.policy.yaml"]);
        app.Publish();
        Assert.Equal(["a.mixed.onnx", "a.mixed.precision.json"], app.Published("a.mixed"));
        Assert.Empty(app.Published("b.mixed"));

        app.Succeed("clean");
        Assert.Empty(Directory.GetDirectories(app["obj"], "mixed-precision", SearchOption.AllDirectories));
    }

    [Fact]
    public void The_property_is_one_more_and_one_that_is_named_twice_counts_once_with_its_metadata()
    {
        app.WritePolicy("model.policy.yaml", "output: a.mixed.onnx\n");
        app.WritePolicy("b/b.policy.yaml", "output: b.mixed.onnx\n");
        app.WriteProject(items: "<MixedPrecisionModel Include=\"b/b.policy.yaml;./model.policy.yaml\" Locked=\"true\" />");
        app.Publish();
        Assert.Equal((1, 1), (app.Runs(), app.Runs("b")));
        Assert.Equal(["a.mixed.onnx", "a.mixed.precision.json"], app.Published("a.mixed"));
        Assert.Equal(["b.mixed.onnx", "b.mixed.precision.json"], app.Published("b.mixed"));
        Assert.Contains("|--locked|", app.Read("runs.txt"), StringComparison.Ordinal);

        // Where the policy's files lie does not depend on how it is named.
        app.WriteProject(items: "<MixedPrecisionModel Include=\"b/b.policy.yaml\" Locked=\"true\" />", properties: "<MixedPrecisionPolicy>model.policy.yaml</MixedPrecisionPolicy><MixedPrecisionLocked>true</MixedPrecisionLocked>");
        app.Publish();
        Assert.Equal((1, 1), (app.Runs(), app.Runs("b")));
    }

    [Fact]
    public void Two_of_one_name_are_an_error_that_names_both_and_a_policy_that_is_not_there_too()
    {
        app.WritePolicy("a/a.policy.yaml");
        app.WritePolicy("b/b.policy.yaml", "output: MODEL.mixed.onnx\n");
        app.WriteProject(properties: "", items: "<MixedPrecisionModel Include=\"*/*.policy.yaml\" />");
        ProcessRun failed = app.Dotnet("publish", "-o", "out");
        Assert.NotEqual(0, failed.ExitCode);
        Assert.Contains($"{app["b/b.policy.yaml"]} : error MPB9006: The file 'model.mixed.onnx' would be published for this policy and for '{app["a/a.policy.yaml"]}'.", failed.Output, StringComparison.Ordinal);

        app.WriteProject(properties: "", items: "<MixedPrecisionModel Include=\"a/none.yaml\" />");
        failed = app.Dotnet("publish", "-o", "out");
        Assert.NotEqual(0, failed.ExitCode);
        Assert.Contains($"error MPB1001: The policy '{app["a/none.yaml"]}' does not exist.", failed.Output, StringComparison.Ordinal);
    }

    public void Dispose() => app.Dispose();
}
