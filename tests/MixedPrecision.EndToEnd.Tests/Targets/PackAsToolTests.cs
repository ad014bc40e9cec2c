using System.IO.Compression;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>An app that is packed as a .NET tool: a package of what is published.</summary>
public sealed class PackAsToolTests
{
    [Fact]
    public void The_model_lies_beside_the_tool_in_its_package()
    {
        using var app = new PackagedApp();
        app.WritePolicy();
        app.WriteProject(properties: "<MixedPrecisionPolicy>model.policy.yaml</MixedPrecisionPolicy><PackAsTool>true</PackAsTool><UseAppHost>false</UseAppHost>");
        app.Succeed("pack", "-o", "packed");
        using ZipArchive package = ZipFile.OpenRead(app["packed/App.1.0.0.nupkg"]);
        Assert.Equal(
            ["tools/net10.0/any/App.dll", "tools/net10.0/any/model.mixed.onnx", "tools/net10.0/any/model.mixed.precision.json"],
            package.Entries.Select(entry => entry.FullName).Where(name => Path.GetFileName(name) == "App.dll" || name.Contains("model", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.DoesNotContain(package.Entries, entry => entry.FullName.Contains("MixedPrecision", StringComparison.Ordinal));
        Assert.Equal(1, app.Runs());
    }
}
