using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>An app that is published for a device of another kind than what the plan is made for.</summary>
public sealed class ForeignDeviceTests : IDisposable
{
    private static readonly Machine Here = Machine.Detect(new RuntimePolicy("cpu", 1, Place.None));

    private readonly PipelineFolder folder = new();

    [Theory]
    [InlineData("linux", "x64", "linux-x64", true)]
    [InlineData("linux", "x64", "linux-musl-x64", true)]
    [InlineData("linux", "x64", "linux-arm64", false)]
    [InlineData("linux", "x64", "win-x64", false)]
    [InlineData("windows", "x64", "win-x64", true)]
    [InlineData("windows", "x64", "win10-x64", true)]
    [InlineData("windows", "arm64", "win-x64", false)]
    [InlineData("macos", "arm64", "osx.13.0-arm64", true)]
    [InlineData("macos", "arm64", "ios-arm64", false)]
    [InlineData("linux", "x64", "browser-wasm", false)]
    [InlineData("linux", "arm64", "android-arm64", false)]
    [InlineData("linux", "arm64", "any", true)]
    [InlineData("windows", "x64", "unix-x64", true)]
    [InlineData("linux", "x64", "Linux", true)]
    public void ARuntimeIdentifierNamesSystemAndArchitecture(string system, string architecture, string runtimeIdentifier, bool fits) =>
        Assert.Equal(fits, (Here with { OperatingSystem = system, Architecture = architecture }).Fits(runtimeIdentifier));

    [Fact]
    public void WithoutAProfileItIsWarnedOf()
    {
        folder.WritePolicy("5%", "objective: memory");
        Verbs.Solve(folder.PolicyFile, folder.Options() with { RuntimeIdentifier = "browser-wasm" });
        Diagnostic warning = Assert.Single(folder.Warnings, w => w.Code == Codes.DeviceUnlikeApp);
        Assert.Equal((Severity.Warning, folder.PolicyFile), (warning.Severity, warning.Place.File));
        Assert.Contains($"published for 'browser-wasm', and the plan is made for this machine, {Here.OperatingSystem} {Here.Architecture}: ", warning.Message, StringComparison.Ordinal);
        Assert.Contains("mixed-precision benchmark POLICY --export FILE", warning.Message, StringComparison.Ordinal);

        foreach (string? own in new[] { System.Runtime.InteropServices.RuntimeInformation.RuntimeIdentifier, null })
        {
            Verbs.Solve(folder.PolicyFile, folder.Options() with { RuntimeIdentifier = own });
            Assert.DoesNotContain(folder.Warnings, w => w.Code == Codes.DeviceUnlikeApp);
        }
    }

    [Fact]
    public void WithAProfileItsDeviceCounts()
    {
        Machine device = Here with { OperatingSystem = "windows", Architecture = "arm64" };
        var policy = Policy.Load(folder.PolicyFile);
        policy = policy with { Runtime = policy.Runtime with { Profile = "device.profile.json" } };
        Profiles.CheckRuntime(policy, device, "win-arm64", new RunLog(folder.Options()));
        Assert.Empty(folder.Warnings);
        Profiles.CheckRuntime(policy, device, "linux-x64", new RunLog(folder.Options()));
        Assert.Contains("the device of the profile 'device.profile.json', windows arm64: ", Assert.Single(folder.Warnings).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ALockedPlanIsTakenAsItWasFixed()
    {
        folder.WritePolicy("5%", "objective: memory");
        Verbs.Lock(folder.PolicyFile, folder.Options());
        Verbs.Quantize(folder.PolicyFile, folder["out"], folder.Options() with { RuntimeIdentifier = "browser-wasm" });
        Assert.Empty(folder.Warnings);
    }

    public void Dispose() => folder.Dispose();
}
