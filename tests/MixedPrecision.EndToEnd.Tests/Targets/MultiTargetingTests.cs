namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>A project for several target frameworks.</summary>
public sealed class MultiTargetingTests
{
    [Fact]
    public void Each_framework_is_published_with_the_model_and_a_build_of_all_runs_nothing()
    {
        using var app = new PackagedApp();
        app.WritePolicy();
        // The second differs in its platform alone, and has no pack of its own that would have to be fetched.
        app.WriteProject(framework: "<TargetFrameworks>net10.0;net10.0-custom1.0</TargetFrameworks><TargetPlatformSupported>true</TargetPlatformSupported>", properties: """
            <MixedPrecisionPolicy>model.policy.yaml</MixedPrecisionPolicy>
            <TargetPlatformIdentifier Condition="'$(TargetFramework)' == 'net10.0-custom1.0'">custom</TargetPlatformIdentifier>
            """, items: """<SupportedPlatform Include="custom" /><SdkSupportedTargetPlatformVersion Include="1.0" />""");
        app.Succeed("build");
        Assert.Equal(0, app.Runs());

        app.Publish("-f", "net10.0");
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed"));
        Directory.Delete(app["out"], recursive: true);
        app.Publish("-f", "net10.0-custom1.0");
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed"));
        app.Publish("-f", "net10.0");
        Assert.Equal(2, app.Runs());
    }
}
