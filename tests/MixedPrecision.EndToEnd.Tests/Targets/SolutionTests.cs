using System.IO.Compression;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>A solution of an app and the library that owns the policy, in both file formats and as a graph of isolated projects.</summary>
public sealed class SolutionTests : IDisposable
{
    private readonly PackagedApp app = new();

    public SolutionTests()
    {
        app.WritePolicy("Library/model.policy.yaml");
        app.WriteProject("Library/Library.csproj", properties: "<MixedPrecisionPolicy>model.policy.yaml</MixedPrecisionPolicy><OutputType>Library</OutputType>", program: "public class It;");
        app.WriteReferringProject("App", "../Library/Library.csproj");
        app.Write("All.slnx", """
            <Solution>
              <Project Path="Library/Library.csproj" />
              <Project Path="App/App.csproj" />
            </Solution>
            """);
        app.Write("All.sln", string.Join("\r\n", (string[])
        [
            "",
            "Microsoft Visual Studio Solution File, Format Version 12.00",
            .. new[] { ("Library", '1'), ("App", '2') }.SelectMany(project => (string[])
            [
                $"Project(\"{{FAE04EC0-301F-11D3-BF4B-00C04F79EFBC}}\") = \"{project.Item1}\", \"{project.Item1}\\{project.Item1}.csproj\", \"{Identifier(project.Item2)}\"",
                "EndProject",
            ]),
            "Global",
            "\tGlobalSection(SolutionConfigurationPlatforms) = preSolution",
            "\t\tRelease|Any CPU = Release|Any CPU",
            "\tEndGlobalSection",
            "\tGlobalSection(ProjectConfigurationPlatforms) = postSolution",
            .. "12".SelectMany(project => (string[])["ActiveCfg", "Build.0"], (project, what) => $"\t\t{Identifier(project)}.Release|Any CPU.{what} = Release|Any CPU"),
            "\tEndGlobalSection",
            "EndGlobal",
            "",
        ]));
    }

    [Fact]
    public void Publishing_it_publishes_the_model_with_both()
    {
        ProcessRun published = app.Succeed("publish", "All.slnx");
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed", "App/bin/Release/net10.0/publish"));
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed", "Library/bin/Release/net10.0/publish"));
        Assert.Equal(1, app.Runs("Library"));
        Assert.Contains("    model.mixed: 1.62× faster", published.Output, StringComparison.Ordinal);

        foreach (string project in new[] { "App", "Library" })
        {
            Directory.Delete(app[project + "/bin/Release/net10.0/publish"], recursive: true);
        }

        published = app.Succeed("publish", "All.sln", "--no-build");
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed", "App/bin/Release/net10.0/publish"));
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed", "Library/bin/Release/net10.0/publish"));
        Assert.Equal(1, app.Runs("Library"));
        Assert.Contains("; reused, nothing changed", published.Output, StringComparison.Ordinal);
        app.Succeed("clean", "All.slnx", "-c", "Release");
        Assert.False(Directory.Exists(app["Library/obj/Release/net10.0/mixed-precision"]));
    }

    [Fact]
    public void A_graph_of_isolated_projects_publishes_it()
    {
        app.Succeed("restore", "All.slnx");
        app.Succeed("msbuild", "App/App.csproj", "-t:Publish", "-p:Configuration=Release;_IsPublishing=true", "-graph", "-isolate");
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed", "App/bin/Release/net10.0/publish"));
        Assert.Equal(1, app.Runs("Library"));
    }

    [Fact]
    public void Building_and_packing_it_and_looking_at_it_in_an_editor_run_nothing()
    {
        app.Succeed("build", "All.slnx", "-c", "Release");
        app.Succeed("pack", "All.slnx", "--no-build", "-c", "Release", "-o", "packed");
        using (ZipArchive package = ZipFile.OpenRead(app["packed/Library.1.0.0.nupkg"]))
        {
            Assert.DoesNotContain(package.Entries, entry => entry.FullName.Contains("model", StringComparison.Ordinal) || entry.FullName.Contains("MixedPrecision", StringComparison.Ordinal));
        }

        app.Succeed("msbuild", "Library/Library.csproj", "-t:Compile;GetCopyToPublishDirectoryItems", "-p:DesignTimeBuild=true;BuildingInsideVisualStudio=true;SkipCompilerExecution=true;ProvideCommandLineArgs=true");
        Assert.Equal(0, app.Runs("Library"));
        Assert.Empty(Directory.GetDirectories(app["Library/obj"], "mixed-precision", SearchOption.AllDirectories));
    }

    public void Dispose() => app.Dispose();

    private static string Identifier(char digit) => new Guid(new string(digit, 32)).ToString("B");
}
