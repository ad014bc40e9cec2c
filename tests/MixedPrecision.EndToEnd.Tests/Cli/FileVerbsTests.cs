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

    /// <summary>What is asked of a model's files alone, as JSON: one document, and nothing else on standard output.</summary>
    [Fact]
    public void Results_are_one_JSON_document_for_programs()
    {
        Succeeded(model.Tool(model.Quantize()));
        string manifest = Path.Combine(model.Output, "model.mixed.precision.json");
        File.WriteAllText(model["model.csv"], string.Join(',', Enumerable.Range(0, 64)) + ",label\n" + string.Concat(Enumerable.Range(0, 8).Select(row => string.Join(',', Enumerable.Range(row, 64)) + $",{row % 4}\n")));
        string[][] verbs =
        [
            ["inspect", model["model.onnx"]],
            ["report", manifest],
            ["show", manifest],
            ["diff", manifest, manifest],
            ["init", model["model.onnx"], "-o", model["new.policy.yaml"]],
            ["data", model["model.onnx"], model["model.csv"], "-o", model["made.jsonl"]],
            ["completion", "bash"],
        ];
        foreach (string[] verb in verbs)
        {
            using JsonDocument json = JsonDocument.Parse(Succeeded(model.Tool([.. verb, "--json"])).Output);
            Assert.Equal(JsonValueKind.Object, json.RootElement.ValueKind);
        }

        ProcessRun made = Succeeded(model.Tool(verbs[5]));
        Assert.StartsWith($"{model["made.jsonl"]}: 8 samples, ", made.Output, StringComparison.Ordinal);
        Assert.Contains("labels: label", made.Output, StringComparison.Ordinal);
        string policy = model["made.policy.yaml"];
        File.WriteAllText(policy, File.ReadAllText(model.Policy).Replace("calibration.jsonl", "made.jsonl", StringComparison.Ordinal));
        Succeeded(model.Tool("calibrate", policy, "--cache", model.Cache));
    }

    [Theory]
    [InlineData("mixed-precision qua", "quantize")]
    [InlineData("mixed-precision cache ", "prune")]
    [InlineData("mixed-precision data m.onnx --la", "--labels")]
    [InlineData("mixed-precision completion ", "zsh")]
    public void Shells_ask_what_may_follow(string line, string expected) =>
        Assert.Contains(expected, Succeeded(model.Tool($"[suggest:{line.Length}]", line)).Output.Split('\n').Select(found => found.TrimEnd()));

    /// <summary>In bash itself: the script is what a shell understands, and completes by what the tool says.</summary>
    [Fact]
    public void The_script_for_bash_completes()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        string script = model["complete.sh"];
        File.WriteAllText(script, $$"""
            mixed-precision() { dotnet "{{Path.Combine(AppContext.BaseDirectory, "mixed-precision.dll")}}" "$@"; }
            eval "$(mixed-precision completion bash)"
            COMP_LINE="mixed-precision insp" COMP_POINT=20 COMP_CWORD=1 COMP_WORDS=(mixed-precision insp)
            _mixed_precision
            echo "${COMPREPLY[*]}"
            """);
        using var process = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("/bin/bash", [script]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        ProcessRun run = ProcessRun.End(process);
        Assert.Equal("inspect\n", run.Output);
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
