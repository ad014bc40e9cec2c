using System.Text.Json;
using MixedPrecision.EndToEnd.Tests.Cli;

namespace MixedPrecision.EndToEnd.Tests.Targets;

/// <summary>A plan per scenario, by MSBuild with the real tool and by the command line.</summary>
public sealed class ScenariosTests : IClassFixture<AppFixture>
{
    private readonly AppFixture app;

    public ScenariosTests(AppFixture app)
    {
        this.app = app;
        app.Reset();
    }

    [Fact]
    public void All_files_are_published_and_those_of_a_scenario_that_is_gone_leave()
    {
        using var model = new SmallModel();
        WritePolicy(model, "one", "many");
        Success(Publish(model));
        Assert.Equal(["model.many.mixed.onnx", "model.many.mixed.precision.json", "model.mixed.data", "model.one.mixed.onnx", "model.one.mixed.precision.json"], Published());
        Assert.Equal(Sorted(Published(), "model.many.mixed.report.html", "model.many.mixed.report.txt", "model.one.mixed.report.html", "model.one.mixed.report.txt"), Emitted());
        using (JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(app.Published("model.many.mixed.precision.json"))))
        {
            Assert.Equal("many", manifest.RootElement.GetProperty("scenario").GetString());
            Assert.Equal("model.mixed.data", manifest.RootElement.GetProperty("shared").GetProperty("file").GetString());
            Assert.Equal(new FileInfo(app.Published("model.mixed.data")).Length, manifest.RootElement.GetProperty("shared").GetProperty("bytes").GetInt64());
        }

        ProcessRun second = Publish(model);
        Success(second);
        Assert.Contains("nothing changed since the last run", second.Output, StringComparison.Ordinal);
        Assert.Equal(5, Published().Length);

        WritePolicy(model, "one", "few");
        Success(Publish(model));
        Assert.Equal(["model.few.mixed.onnx", "model.few.mixed.precision.json", "model.mixed.data", "model.one.mixed.onnx", "model.one.mixed.precision.json"], Published());
        Assert.Equal(Sorted(Published(), "model.few.mixed.report.html", "model.few.mixed.report.txt", "model.one.mixed.report.html", "model.one.mixed.report.txt"), Emitted());

        WritePolicy(model, "one");
        Success(Publish(model));
        Assert.Equal(["model.mixed.onnx", "model.mixed.precision.json"], Published());

        Success(app.Target("Clean", $"-p:MixedPrecisionPolicy={model.Policy}"));
        Assert.False(Directory.Exists(app.Stage("")));
    }

    [Fact]
    public void Verbs_tell_of_each_scenario()
    {
        using var model = new SmallModel();
        WritePolicy(model, "one", "many");
        ProcessRun text = model.Tool("solve", model.Policy, "--cache", model.Cache);
        Assert.True(text.ExitCode == 0, text.All);
        Assert.Equal(["for the scenario 'one' alone", "for the scenario 'many' alone"], text.Output.Split('\n').Where(l => l.StartsWith("for the scenario", StringComparison.Ordinal)));
        foreach (string[] verb in new string[][] { ["solve"], ["frontier"], ["explain"] })
        {
            ProcessRun json = model.Tool([.. verb, model.Policy, "--cache", model.Cache, "--json"]);
            Assert.True(json.ExitCode == 0, json.All);
            Assert.Equal(["one", "many"], Scenarios(json.Output));
        }

        ProcessRun emitted = model.Tool([.. model.Quantize(), "--json"]);
        Assert.True(emitted.ExitCode == 0, emitted.All);
        Assert.Equal(["one", "many"], Scenarios(emitted.Output));
    }

    [Fact]
    public void A_lock_of_all_scenarios_publishes_the_same_bytes()
    {
        using var model = new SmallModel();
        WritePolicy(model, "one", "many");
        ProcessRun locked = model.Tool("lock", model.Policy, "--cache", model.Cache);
        Success(locked);
        Assert.Contains("locked: model.precision.lock.json", locked.Output, StringComparison.Ordinal);
        Success(model.Tool([.. model.Quantize(), "--locked"]));
        File.Delete(model["calibration.jsonl"]);
        Directory.Delete(model.Cache, recursive: true);
        ProcessRun published = Publish(model);
        Success(published);
        Assert.Contains("nothing is measured", published.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("calibrate: started", published.Output, StringComparison.Ordinal);
        Assert.Equal(["model.many.mixed.onnx", "model.many.mixed.precision.json", "model.mixed.data", "model.one.mixed.onnx", "model.one.mixed.precision.json"], Published());
        Assert.All(Published(), file => Assert.Equal(File.ReadAllBytes(Path.Combine(model.Output, file)), File.ReadAllBytes(app.Published(file))));

        // Both files of the lock are inputs of the publish.
        ProcessRun second = Publish(model);
        Success(second);
        Assert.Contains("nothing changed since the last run", second.Output, StringComparison.Ordinal);
        foreach (string file in Directory.GetFiles(model.Folder, "*.precision.lock.*"))
        {
            File.SetLastWriteTimeUtc(file, File.GetLastWriteTimeUtc(file).AddSeconds(-5));
            ProcessRun again = Publish(model);
            Success(again);
            Assert.DoesNotContain("nothing changed since the last run", again.Output, StringComparison.Ordinal);
        }

        WritePolicy(model, "one", "few");
        Assert.Contains("error MPB8011: ", Publish(model).Output, StringComparison.Ordinal);
    }

    private static string?[] Scenarios(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return [.. document.RootElement.EnumerateArray().Select(r => r.GetProperty("scenario").GetString())];
    }

    private static void WritePolicy(SmallModel model, params string[] scenarios) => File.WriteAllText(model.Policy, $$"""
        model: model.onnx
        budget: 5%
        calibration: { data: calibration.jsonl, loss: cross-entropy, labels: label }
        objective: theoretical-time
        runtime: { threads: 1 }
        plans: per-scenario
        scenarios:
        {{string.Join('\n', scenarios.Select((name, i) => $"  - {{ name: {name}, inputs: {{ batch: {1 << (i * 4)} }} }}"))}}
        """);

    private ProcessRun Publish(SmallModel model) => app.Publish(
        $"-p:MixedPrecisionToolPath={Path.Combine(AppContext.BaseDirectory, "mixed-precision.dll")}",
        $"-p:MixedPrecisionPolicy={model.Policy}",
        $"-p:MixedPrecisionCacheDirectory={model.Cache}",
        "-v:detailed");

    private string[] Published() => Sorted(Directory.GetFiles(Path.Combine(app.App, "out"), "model.*"));

    private string[] Emitted() => Sorted(Directory.GetFiles(app.Stage("emitted")));

    private static string[] Sorted(string[] files, params string[] more) => [.. files.Concat(more).Select(f => Path.GetFileName(f)).Order(StringComparer.Ordinal)];

    private static void Success(ProcessRun run) => Assert.True(run.ExitCode == 0, run.All);
}
