namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>The emitted model in the place of the original, which the project has among its content.</summary>
public sealed class ReplaceTests : IDisposable
{
    private const string Content = """
        <None Update="models/model.onnx;models/model.onnx.data" CopyToOutputDirectory="PreserveNewest" />
        """;

    private readonly PackagedApp app = new();

    public ReplaceTests()
    {
        app.Write("models/model.onnx", "original");
        app.Write("models/model.onnx.data", "original's data");
        app.WritePolicy("models/model.policy.yaml");
    }

    [Fact]
    public void Both_are_warned_of_unless_the_project_says_that_they_are_wanted()
    {
        app.WriteProject(properties: Policy(""), items: Content);
        ProcessRun published = app.Publish();
        Assert.Contains($"{app["models/model.policy.yaml"]} : warning MPB9007: The original 'models/model.onnx' is published beside 'model.mixed.onnx'.", published.Output, StringComparison.Ordinal);
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json", "models/model.onnx", "models/model.onnx.data"], app.Published("model."));

        Assert.DoesNotContain("MPB9007", app.Publish("-p:MixedPrecisionReplace=false").Output, StringComparison.Ordinal);
        app.WriteProject(properties: Policy(""), items: Content.Replace("PreserveNewest", "Never", StringComparison.Ordinal));
        Assert.DoesNotContain("MPB9007", app.Publish().Output, StringComparison.Ordinal);
    }

    [Fact]
    public void The_emitted_model_takes_name_and_place_of_the_original()
    {
        app.WriteProject(properties: Policy("true"), items: Content);
        ProcessRun published = app.Publish();
        Assert.DoesNotContain("MPB9007", published.Output, StringComparison.Ordinal);
        Assert.Equal(["models/model.mixed.precision.json", "models/model.onnx"], app.Published("model."));
        Assert.StartsWith("emit", app.Read("out/models/model.onnx"), StringComparison.Ordinal);
        // A build copies the original as ever.
        Assert.Equal("original", app.Read("bin/Release/net10.0/models/model.onnx"));

        // Another model takes the place of the first, and without the property, or the policy, the original comes back.
        app.Write("models/data.txt", "DATA");
        app.Publish();
        Assert.EndsWith("DATA", app.Read("out/models/model.onnx"), StringComparison.Ordinal);
        app.WriteProject(properties: Policy("false"), items: Content);
        app.Publish();
        Assert.Equal("original", app.Read("out/models/model.onnx"));
        app.WriteProject(properties: Policy("true"), items: Content);
        app.Publish();
        Assert.StartsWith("emit", app.Read("out/models/model.onnx"), StringComparison.Ordinal);
        app.WriteProject(properties: "", items: Content);
        app.Publish();
        Assert.Equal("original", app.Read("out/models/model.onnx"));
    }

    [Fact]
    public void An_item_says_it_for_its_model_and_one_that_is_not_published_gives_its_name()
    {
        app.WriteProject(properties: "", items: "<MixedPrecisionModel Include=\"models/model.policy.yaml\" Replace=\"true\" />");
        app.Publish();
        Assert.Equal(["model.mixed.precision.json", "model.onnx"], app.Published("model."));
    }

    [Fact]
    public void Several_models_cannot_take_one_name()
    {
        app.WritePolicy("models/model.policy.yaml", "two\n");
        app.WriteProject(properties: Policy("true"), items: Content);
        ProcessRun failed = app.Dotnet("publish", "-o", "out");
        Assert.NotEqual(0, failed.ExitCode);
        Assert.Contains($"{app["models/model.policy.yaml"]} : error MPB9008: The policy emits 2 models", failed.Output, StringComparison.Ordinal);
    }

    public void Dispose() => app.Dispose();

    private static string Policy(string replace) => $"<MixedPrecisionPolicy>models/model.policy.yaml</MixedPrecisionPolicy><MixedPrecisionReplace>{replace}</MixedPrecisionReplace>";
}
