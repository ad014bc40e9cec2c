namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>The emitted model in the place of an original that is content of a project which the app refers to.</summary>
public sealed class ReplaceInReferencesTests : IDisposable
{
    private const string Original = "Library/models/model.onnx";
    private const string Out = "App/bin/Release/net10.0/publish";
    private static readonly string[] Both = ["model.mixed.onnx", "model.mixed.precision.json", "models/model.onnx", "models/model.onnx.data"];
    private static readonly string[] Emitted = ["models/model.mixed.precision.json", "models/model.onnx"];

    private readonly PackagedApp app = new();

    public ReplaceInReferencesTests()
    {
        app.Write(Original, "original");
        app.Write(Original + ".data", "original's data");
        WriteLibrary("");
    }

    [Fact]
    public void The_policy_is_the_apps()
    {
        app.WritePolicy("App/model.policy.yaml", $"original: {app[Original]}\n");
        WriteApp("");
        ProcessRun published = app.Succeed("publish", "App/App.csproj");
        Assert.Contains($"{app["App/model.policy.yaml"]} : warning MPB9007: The original 'models/model.onnx' is published beside 'model.mixed.onnx'.", published.Output, StringComparison.Ordinal);
        Assert.Equal(Both, app.Published("model.", Out));

        // A graph of isolated projects answers no question that is not foreseen.
        WriteApp("<MixedPrecisionReplace>true</MixedPrecisionReplace>");
        ProcessRun replaced = app.Succeed("msbuild", "App/App.csproj", "-t:Publish", "-p:Configuration=Release;_IsPublishing=true", "-graph", "-isolate");
        Assert.DoesNotContain("MPB9007", replaced.Output, StringComparison.Ordinal);
        HasEmitted(Out);
        Assert.Equal("original", app.Read("App/bin/Release/net10.0/models/model.onnx"));
        Assert.Equal(1, app.Runs("App"));

        // In the folder of a build too, if asked for.
        app.Succeed("build", "App/App.csproj", "-c", "Release", "--no-restore", "-p:MixedPrecisionRunOnBuild=true");
        HasEmitted("App/bin/Release/net10.0");
        // Without the policy the original comes back.
        app.Succeed("publish", "App/App.csproj", "--no-restore", "-p:MixedPrecisionPolicy=");
        Assert.Equal("original", app.Read(Out + "/models/model.onnx"));
        Assert.Equal("original", app.Read("App/bin/Release/net10.0/models/model.onnx"));
    }

    [Fact]
    public void The_policy_is_the_librarys()
    {
        app.WritePolicy("Library/models/model.policy.yaml");
        WriteLibrary("<MixedPrecisionPolicy>models/model.policy.yaml</MixedPrecisionPolicy>");
        WriteApp("", policy: "");
        ProcessRun published = app.Succeed("publish", "App/App.csproj");
        Assert.Contains($"{app["Library/models/model.policy.yaml"]} : warning MPB9007: ", published.Output, StringComparison.Ordinal);
        Assert.Equal(Both, app.Published("model.", Out));

        WriteLibrary("<MixedPrecisionPolicy>models/model.policy.yaml</MixedPrecisionPolicy><MixedPrecisionReplace>true</MixedPrecisionReplace>");
        app.Succeed("publish", "App/App.csproj", "--no-restore");
        HasEmitted(Out);
        Assert.Equal(1, app.Runs("Library/models"));
    }

    public void Dispose() => app.Dispose();

    private void HasEmitted(string folder)
    {
        Assert.Equal(Emitted, app.Published("model.", folder).Where(file => file.StartsWith("models/", StringComparison.Ordinal)));
        Assert.StartsWith("emit", app.Read(folder + "/models/model.onnx"), StringComparison.Ordinal);
    }

    private void WriteApp(string properties, string policy = "<MixedPrecisionPolicy>model.policy.yaml</MixedPrecisionPolicy>") =>
        app.WriteProject("App/App.csproj", properties: policy + properties, items: "<ProjectReference Include=\"../Library/Library.csproj\" />");

    private void WriteLibrary(string properties) => app.WriteProject(
        "Library/Library.csproj", properties: "<OutputType>Library</OutputType>" + properties, program: "public class It;",
        items: "<None Update=\"models/model.onnx;models/model.onnx.data\" CopyToOutputDirectory=\"PreserveNewest\" />");
}
