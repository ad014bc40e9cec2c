namespace MixedPrecision.EndToEnd.Tests.Cli;

/// <summary>Files that are not the run's own stay as they are, and nothing is computed before that is known.</summary>
public sealed class OverwritingTests : IDisposable
{
    private readonly SmallModel model = new();
    private readonly byte[] original;

    public OverwritingTests() => original = File.ReadAllBytes(model["model.onnx"]);

    [Theory]
    [InlineData("model.onnx")]
    [InlineData("calibration.onnx")] // The samples under a name that an emitted model may have.
    public void An_emitted_file_never_replaces_an_input(string name)
    {
        File.CreateSymbolicLink(model["calibration.onnx"], model["calibration.jsonl"]);
        model.WritePolicy($"output: {name}");
        Refused(model.Folder, model[name]);
    }

    [Fact]
    public void A_manifest_never_replaces_the_policy()
    {
        model.WritePolicy("output: mixed.onnx", "mixed.precision.json");
        Refused(model.Folder, model["mixed.precision.json"], model["mixed.precision.json"]);
    }

    [Fact]
    public void An_output_folder_that_is_a_link_is_seen_through()
    {
        string link = Path.Combine(model.Home, "link");
        Directory.CreateSymbolicLink(link, model.Folder);
        model.WritePolicy("output: model.onnx");
        Refused(link, Path.Combine(link, "model.onnx"));
    }

    [Fact]
    public void What_another_policy_emitted_is_not_replaced_and_ones_own_is()
    {
        Directory.CreateDirectory(model.Output);
        string manifest = Path.Combine(model.Output, "model.mixed.precision.json");
        File.WriteAllText(manifest, """{"schema": 1, "policy": "other.policy.yaml", "model": {"file": "model.onnx"}}""");
        Refused(model.Output, manifest);

        File.WriteAllText(manifest, """{"schema": 1, "policy": "model.policy.yaml", "model": {"file": "earlier.onnx"}}""");
        // For size, so that nothing is timed.
        model.WritePolicy("objective: memory");
        ProcessRun run = model.Tool(model.Quantize());
        Assert.True(run.ExitCode == 0, run.All);
        Assert.Contains("\"policy\": \"model.policy.yaml\"", File.ReadAllText(manifest), StringComparison.Ordinal);
    }

    [Fact]
    public void The_list_of_inputs_and_a_gradient_replace_no_input_either()
    {
        Refused(model.Tool([.. model.Quantize(), "--inputs-file", model.Policy]), model.Policy);
        Refused(model.Tool("gradient", model["model.onnx"], "--output", model["model.onnx"]), model["model.onnx"]);
    }

    [Fact]
    public void A_page_never_replaces_its_manifest()
    {
        string manifest = model["a.precision.json"];
        File.WriteAllText(manifest, "{}");
        Refused(model.Tool("report", manifest, "--output", manifest), manifest);
    }

    public void Dispose() => model.Dispose();

    private void Refused(string output, string target, string? policy = null) => Refused(model.Tool(model.Quantize(policy, output)), target);

    private void Refused(ProcessRun run, string target)
    {
        Assert.True(run.ExitCode == 1, run.All);
        Assert.StartsWith($"{target}: error MPB8005: ", run.Error, StringComparison.Ordinal);
        Assert.Single(run.Error.TrimEnd().Split('\n'));
        Assert.Empty(model.CachedStages);
        Assert.Equal(8, File.ReadAllLines(model["calibration.jsonl"]).Length);
        Assert.StartsWith("model: model.onnx", File.ReadAllText(model.Policy), StringComparison.Ordinal);
        Assert.Equal(original, File.ReadAllBytes(model["model.onnx"]));
    }
}
