namespace MixedPrecision.EndToEnd.Tests.Cli;

/// <summary>A profile from the device to the machine that builds, and the emitted file back, by the command line.</summary>
public sealed class ProfileTests : IDisposable
{
    private const string More = "formats: [ \"int8-dynamic(paired)\", int8-weight ]\nsearchSeconds: 2\nminimumGain: 0%";

    private readonly SmallModel model = new();

    [Fact]
    public void A_profile_is_exported_used_and_its_file_verified()
    {
        model.WritePolicy(More);
        string profile = model["devices/device.profile.json"];
        ProcessRun exported = model.Tool("benchmark", model.Policy, "--export", profile, "--cache", model.Cache);
        Assert.True(exported.ExitCode == 0, exported.All);
        Assert.Contains("exported: device.profile.json, ", exported.Output, StringComparison.Ordinal);

        Directory.Delete(model.Cache, recursive: true);
        File.WriteAllText(model.Policy, File.ReadAllText(model.Policy).Replace("threads: 1 }", "threads: 1, profile: devices/device.profile.json }", StringComparison.Ordinal));
        string inputs = model["inputs.txt"];
        ProcessRun quantized = model.Tool([.. model.Quantize(), "--inputs-file", inputs]);
        Assert.True(quantized.ExitCode == 0, quantized.All);
        Assert.Contains("nothing is timed on this machine", quantized.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("compare: started", quantized.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(model.Cache, "timing")));
        Assert.Contains("end-to-end time was not measured on that device", quantized.Output, StringComparison.Ordinal);
        Assert.Contains(profile, File.ReadAllLines(inputs));

        ProcessRun verified = model.Tool("benchmark", model.Policy, "--emitted", Path.Combine(model.Output, "model.mixed.onnx"), "--cache", model.Cache);
        Assert.True(verified.ExitCode == 0, verified.All);
        Assert.Contains("model.mixed.onnx against model.onnx", verified.Output, StringComparison.Ordinal);
        Assert.Contains("batch 16: ", verified.Output, StringComparison.Ordinal);

        File.WriteAllText(profile, File.ReadAllText(profile)[..200]);
        ProcessRun damaged = model.Tool(model.Quantize());
        Assert.Equal(1, damaged.ExitCode);
        Assert.Matches(@"devices/device\.profile\.json\(\d+,\d+\): error MPB5005: ", damaged.Error);
    }

    public void Dispose() => model.Dispose();
}
