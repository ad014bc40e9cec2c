using System.Runtime.InteropServices;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>An app from which the linker takes away what it does not use.</summary>
public sealed class TrimmedTests
{
    [Fact]
    public void The_model_lies_beside_it()
    {
        using var app = new PackagedApp(isIsolated: false);
        app.WritePolicy();
        app.WriteProject(properties: "<MixedPrecisionPolicy>model.policy.yaml</MixedPrecisionPolicy><PublishTrimmed>true</PublishTrimmed>");
        app.Publish("-r", RuntimeInformation.RuntimeIdentifier);
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], app.Published("model.mixed"));
        Assert.False(File.Exists(app["out/System.Private.Xml.dll"]));
        Assert.Equal(1, app.Runs());
    }
}
