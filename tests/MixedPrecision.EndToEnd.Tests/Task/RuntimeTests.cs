using Microsoft.Build.Utilities;
using MixedPrecision.Build;

namespace MixedPrecision.EndToEnd.Tests.Task;

/// <summary>Which native library is taken for the app's ONNX Runtime, from what NuGet resolved.</summary>
public sealed class RuntimeTests
{
    [Theory]
    [InlineData("linux-x64", "linux-x64", "libonnxruntime.so")]
    [InlineData("linux-x64", "win-x64", "libonnxruntime.so")]
    [InlineData("osx-arm64", "linux-x64", "libonnxruntime.dylib")]
    [InlineData("win-x64", "osx-arm64", "onnxruntime.dll")]
    public void It_is_that_of_the_host_whatever_the_app_is_published_for(string host, string published, string name)
    {
        string package = Path.Combine(Path.GetTempPath(), "packages", "microsoft.ml.onnxruntime", "1.30.0");
        string there = published.StartsWith("win", StringComparison.Ordinal) ? "onnxruntime.dll" : published.StartsWith("osx", StringComparison.Ordinal) ? "libonnxruntime.dylib" : "libonnxruntime.so";
        MixedPrecisionRuntime task = Of(host, Native(package, $"runtimes/{published}/native/libonnxruntime_providers_shared.so"), Native(package, $"runtimes/{published}/native/{there}"));

        Assert.Equal(Path.Combine(package, "runtimes", host, "native", name), task.Library);
        Assert.Equal("1.30.0", task.Version);
    }

    [Fact]
    public void An_app_without_one_has_none()
    {
        MixedPrecisionRuntime task = Of("linux-x64", Native(Path.Combine(Path.GetTempPath(), "packages", "other", "1.0.0"), "runtimes/linux-x64/native/libother.so"));
        Assert.Equal(("", ""), (task.Library, task.Version));
    }

    private static MixedPrecisionRuntime Of(string host, params TaskItem[] natives)
    {
        var task = new MixedPrecisionRuntime { Host = host, Natives = natives };
        Assert.True(task.Execute());
        return task;
    }

    private static TaskItem Native(string package, string path) => new(
        Path.Combine([package, .. path.Split('/')]),
        new Dictionary<string, string> { ["PathInPackage"] = path, ["NuGetPackageVersion"] = Path.GetFileName(package) });
}
