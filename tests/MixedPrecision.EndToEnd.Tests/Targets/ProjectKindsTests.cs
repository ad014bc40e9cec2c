namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>Other SDKs and languages than those of a console app in C#.</summary>
public sealed class ProjectKindsTests : IDisposable
{
    private readonly PackagedApp app = new();

    public ProjectKindsTests() => app.WritePolicy();

    [Fact]
    public void A_web_app()
    {
        app.WriteProject(sdk: "Microsoft.NET.Sdk.Web", program: "Microsoft.AspNetCore.Builder.WebApplication.Create().Run();");
        app.Write("wwwroot/index.html", "<!doctype html>");
        Published();
        Assert.True(File.Exists(app["out/wwwroot/index.html"]));
    }

    /// <summary>The SDK alone: the hosting packages that a worker has besides would have to be fetched.</summary>
    [Fact]
    public void A_worker()
    {
        app.WriteProject(sdk: "Microsoft.NET.Sdk.Worker");
        Published();
    }

    [Fact]
    public void An_app_in_FSharp()
    {
        app.WriteProject(
            "App.fsproj", source: "Program.fs", program: "printfn \"1\"", items: """<Compile Include="Program.fs" />""",
            // FSharp.Core comes as a package with the SDK.
            framework: "<TargetFramework>net10.0</TargetFramework><SatelliteResourceLanguages>en</SatelliteResourceLanguages><RestoreAdditionalProjectSources>$(MSBuildToolsPath)/FSharp/library-packs</RestoreAdditionalProjectSources>");
        Published();
    }

    public void Dispose() => app.Dispose();

    private void Published()
    {
        app.Publish();
        app.Publish();
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed"));
        Assert.Empty(app.Published("MixedPrecision"));
        Assert.Equal(1, app.Runs());
    }
}
