using System.Text.Json;

namespace MixedPrecision.EndToEnd.Tests.Cli;

/// <summary>The verbs that measure nothing, as a person runs them.</summary>
public sealed class FileVerbsTests : IDisposable
{
    private readonly SmallModel model = new();

    public void Dispose() => model.Dispose();

    /// <summary>From a model to a manifest and what is said of it: the policy that is written needs nothing but its data.</summary>
    [Fact]
    public void A_model_becomes_a_policy_and_its_manifests_are_shown_and_compared()
    {
        File.Delete(model.Policy);
        ProcessRun init = Succeeded(model.Tool("init", model["model.onnx"]));
        Assert.StartsWith(model.Policy + "\nloss: cross-entropy, since ", init.Output, StringComparison.Ordinal);
        Assert.Contains("\"label\": [0]}", init.Output, StringComparison.Ordinal);
        ProcessRun again = model.Tool("init", model["model.onnx"]);
        Assert.Equal(1, again.ExitCode);
        Assert.StartsWith(model.Policy + ": error MPB8015: ", again.Error, StringComparison.Ordinal);

        Succeeded(model.Tool(model.Quantize()));
        string manifest = Path.Combine(model.Output, "model.mixed.precision.json");
        ProcessRun shown = Succeeded(model.Tool("show", manifest));
        Assert.StartsWith("model.mixed.onnx: 2 layers: ", shown.Output, StringComparison.Ordinal);
        using (JsonDocument json = JsonDocument.Parse(Succeeded(model.Tool("show", manifest, "--json")).Output))
        {
            Assert.Equal("model.mixed.onnx", json.RootElement.GetProperty("output").GetProperty("file").GetString());
        }

        Assert.Equal($"{manifest} and {manifest}: the same\n", Succeeded(model.Tool("diff", manifest, manifest)).Output);
        string other = model["other.precision.json"];
        File.WriteAllText(other, File.ReadAllText(manifest).Replace("\"policy\": \"model.policy.yaml\"", "\"policy\": \"b.yaml\"", StringComparison.Ordinal));
        Assert.Contains("\npolicy: model.policy.yaml → b.yaml\n", Succeeded(model.Tool("diff", manifest, other)).Output, StringComparison.Ordinal);
        using JsonDocument diff = JsonDocument.Parse(Succeeded(model.Tool("diff", manifest, other, "--json")).Output);
        Assert.False(diff.RootElement.GetProperty("isSame").GetBoolean());

        string archive = model["cache.tar"];
        Succeeded(model.Tool("cache", "export", archive, "--cache", model.Cache));
        Assert.Contains(" removed; 0 files, ", Succeeded(model.Tool("cache", "clear", "--cache", model.Cache)).Output, StringComparison.Ordinal);
        Succeeded(model.Tool("cache", "import", archive, "--cache", model.Cache));
        using (JsonDocument info = JsonDocument.Parse(Succeeded(model.Tool("cache", "info", "--cache", model.Cache, "--json")).Output))
        {
            Assert.Contains("calibrate", info.RootElement.GetProperty("stages").EnumerateArray().Select(stage => stage.GetProperty("stage").GetString()));
        }

        // What was exported is all that the same run asks for.
        ProcessRun reused = Succeeded(model.Tool(model.Quantize()));
        Assert.Contains("calibrate: reused", reused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(": started", reused.Error, StringComparison.Ordinal);
        Assert.Contains("\"leftEntries\": ", Succeeded(model.Tool("cache", "prune", "--older-than", "30d", "--keep", "2GB", "--cache", model.Cache, "--json")).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'quantise'; did you mean 'quantize'?", "mixed-precision --help", "quantise", "p.yaml", "--output", "out")]
    [InlineData("'inf'; did you mean 'info'?", "mixed-precision cache --help", "cache", "inf")]
    [InlineData("'--outptu'; did you mean '--output'?", "mixed-precision quantize --help", "quantize", "p.yaml", "--outptu", "out")]
    [InlineData("'--older-then'; did you mean '--older-than'?", "mixed-precision cache prune --help", "cache", "prune", "--older-then", "30d")]
    public void What_is_misspelt_is_answered_with_the_nearest(string expected, string help, params string[] arguments)
    {
        string error = Failed(arguments);
        Assert.StartsWith($"error MPB9002: Unrecognized command or argument {expected} '{help}'", error, StringComparison.Ordinal);
        Assert.Single(error.TrimEnd().Split('\n'));
    }

    [Theory]
    [InlineData("--older-than or --keep has to say what goes.", "cache", "prune")]
    [InlineData("'soon' is not an age", "cache", "prune", "--older-than", "soon")]
    [InlineData("'30 days' is not an age", "cache", "prune", "--older-than", "30 days")]
    [InlineData("'2 parsecs' is not a size", "cache", "prune", "--keep", "2 parsecs")]
    public void What_cache_prune_cannot_read_removes_nothing(string expected, params string[] arguments) =>
        Assert.Contains(expected, Failed(arguments), StringComparison.Ordinal);

    private string Failed(string[] arguments)
    {
        ProcessRun run = model.Tool(arguments);
        Assert.Equal(1, run.ExitCode);
        Assert.Empty(run.Output);
        Assert.StartsWith("error MPB9002: ", run.Error, StringComparison.Ordinal);
        return run.Error;
    }

    private static ProcessRun Succeeded(ProcessRun run)
    {
        Assert.True(run.ExitCode == 0, run.Error);
        return run;
    }
}
