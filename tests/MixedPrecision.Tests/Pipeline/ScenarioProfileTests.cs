using System.Text.Json.Nodes;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>A profile of a policy with a plan for each scenario: the device searches for each, and elsewhere each is made from it. What is asserted is what was taken from where, never how fast anything is.</summary>
public class ScenarioProfileTests
{
    private const string Name = ProfileFixture.Name;
    private const string Left = "Left side";
    private const string Right = "right: side/2";

    [Fact]
    public void TheDeviceSearchesForThePlanOfEachScenario()
    {
        using PipelineFolder folder = New();
        var said = new List<string>();
        BenchmarkReport report = Verbs.Benchmark(folder.PolicyFile, folder.Options() with { Progress = update => said.Add($"{update.Stage} {update.Text}") }, folder[Name]);
        int first = said.IndexOf($"scenario '{Left}', 1 of 2"), second = said.IndexOf($"scenario '{Right}', 2 of 2");
        Assert.InRange(first, said.IndexOf("calibrate started") + 1, second - 1);
        Assert.Contains("solve started", said[first..second]);
        Assert.Contains("solve started", said[second..]);

        Assert.Equal([(Left, 1.0 / 3), (Right, 2.0 / 3)], report.Scenarios.Select(s => (s.Name, s.Weight)));
        Assert.All(report.Scenarios, s => Assert.Equal(3, s.Subgraphs.SelectMany(g => g.Configurations).Select(c => string.Join(' ', c.Formats)).Distinct().Count()));
        JsonObject profile = JsonNode.Parse(File.ReadAllText(folder[Name]))!.AsObject();
        JsonObject[] timings = [.. ProfileFixture.Timings(profile)];
        Assert.Equal([Left, Right], profile["scenarios"]!.AsArray().Select(s => (string)s!["name"]!));
        Assert.All([Left, Right], scenario => Assert.Equal(3, timings.Where(t => (string)t["scenario"]! == scenario).Select(t => t["formats"]!.ToJsonString()).Distinct().Count()));
        Assert.Equal((timings.Length, report.Measured), (report.Exported!.Timings, timings.Count(t => t.ContainsKey("timing"))));
    }

    /// <summary>Another plan for each, the original for one of them: made from the profile, and from a lock that rests on it without the profile.</summary>
    [Theory]
    [InlineData(0.3, "right")]
    [InlineData(-0.1, "")]
    public void EachPlanIsMadeFromTheTimingsOfItsScenario(double right, string changed)
    {
        using PipelineFolder folder = New();
        Verbs.Benchmark(folder.PolicyFile, folder.Options(), folder[Name]);
        JsonObject profile = JsonNode.Parse(File.ReadAllText(folder[Name]))!.AsObject();
        foreach (JsonObject subgraph in profile["subgraphs"]!.AsArray().Select(s => s!.AsObject()))
        {
            string[] layers = [.. subgraph["layers"]!.AsArray().Select(l => (string)l!["name"]!)];
            foreach (JsonObject timing in subgraph["timings"]!.AsArray().Select(t => t!.AsObject()))
            {
                bool isLeft = (string)timing["scenario"]! == Left;
                ProfileFixture.Set(timing, layers.Zip(ProfileFixture.Formats(timing)).Where(l => l.Second != "fp32").Sum(l => (l.First == "left") == isLeft ? (isLeft ? 0.3 : right) : -0.2));
            }
        }

        File.WriteAllText(folder[Name], profile.ToJsonString());
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace("threads: 1 }", $"threads: 1, profile: {Name} }}", StringComparison.Ordinal));
        Directory.Delete(folder["cache"], recursive: true);
        QuantizeResult made = folder.Quantize();
        Assert.False(Directory.Exists(folder["cache/timing"]));
        Assert.DoesNotContain(folder.Warnings, w => w.Code == Codes.ProfileLacks || w.Code == Codes.ProfileDiffers);
        Assert.Equal(["left", changed], made.Manifests.Select(m => string.Join(' ', m.Subgraphs.SelectMany(s => s.Layers).Where(l => l.Format != "fp32").Select(l => l.Name))));
        Assert.Equal(["plan", changed.Length > 0 ? "plan" : "original"], made.Manifests.Select(m => m.Shipped.What));
        Assert.All(made.Manifests, m => Assert.Equal((Name, 0), (m.Profile!.File, m.Profile.Missing)));

        Verbs.Lock(folder.PolicyFile, folder.Options());
        Directory.Delete(folder["cache"], recursive: true);
        File.Delete(folder[Name]);
        File.Delete(folder["calibration.jsonl"]);
        QuantizeResult locked = folder.Quantize("locked");
        Assert.Equal(made.Files.Select(File.ReadAllBytes), locked.Files.Select(File.ReadAllBytes));
        Assert.Equal(changed.Length > 0 ? [] : new[] { Codes.NothingGained }, folder.Warnings.Select(w => w.Code));
    }

    private static PipelineFolder New()
    {
        var folder = new PipelineFolder();
        TwoSides.Write(folder);
        TwoSides.WritePolicy(folder, "50%", more: "objective: time\nsearchSeconds: 2");
        Directory.Delete(folder["cache"], recursive: true);
        return folder;
    }
}
