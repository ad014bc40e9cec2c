using System.Text.Json.Nodes;
using MixedPrecision.Caching;
using MixedPrecision.Calibration;
using MixedPrecision.Partitioning;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>What formats save in the whole model beyond what sub-graphs show.</summary>
public class SurplusesTests
{
    /// <summary>A surplus is the same share of the time of every sub-graph whose layers all are in the format, moves both ends of an interval, and stays as long as the structure does.</summary>
    [Fact]
    public void ASurplusIsAShareOfTheTimeOfSubgraphsInTheFormat()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", "formats: [int8-dynamic, int8-weight]");
        (PlanningInput input, Gains gains, Gains alone) = BeginWhereSomethingGains(folder);
        Assert.Contains("whole started", folder.Log);
        var shares = new Dictionary<string, List<double>>();
        foreach (Subgraph subgraph in input.Partition.Subgraphs)
        {
            foreach ((MixedPrecision.Structures.Configuration configuration, Gain gain) in gains.Of(subgraph))
            {
                Gain own = alone.Find(new SubgraphConfiguration(subgraph, configuration))!.Value;
                Assert.Equal(gain.Centre - own.Centre, gain.Low - own.Low, 1e-9);
                Assert.Equal(gain.Centre - own.Centre, gain.High - own.High, 1e-9);
                if (configuration.Formats.Distinct().Count() > 1)
                {
                    Assert.Equal(own, gain);
                    continue;
                }

                shares.TryAdd(configuration.Formats[0], []);
                shares[configuration.Formats[0]].Add(Math.Round((gain.Centre - own.Centre) / gains.OriginalOf(subgraph).Sum(), 6));
            }
        }

        Assert.Equal(2, shares.Count);
        Assert.All(shares.Values, s => Assert.Single(s.Distinct()));
        Assert.NotEqual(gains.Content.Key.Hex, alone.Content.Key.Hex);

        // Random plans have formats that gain nowhere, too.
        (_, Gains ofAll) = Begin(folder, ofAll: true);
        Assert.All(input.Partition.Subgraphs, s => Assert.All(alone.Of(s).Where(g => g.Configuration.Formats.Distinct().Count() == 1), g => Assert.NotEqual(g.Gain, ofAll.Find(new SubgraphConfiguration(s, g.Configuration)))));

        folder.WriteModel(weightSeed: 11);
        (_, Gains again) = Begin(folder);
        Assert.Contains("whole reused", folder.Log);
        Assert.Equal(gains.Content.Key.Hex, again.Content.Key.Hex);
    }

    /// <summary>What the device measured of the whole model counts where the plan is made, which measures nothing: for a re-trained model too, and not for other sizes.</summary>
    [Fact]
    public void AProfileHoldsIt()
    {
        using var device = new PipelineFolder();
        device.WritePolicy("1%", "formats: [int8-dynamic, int8-weight]");
        (_, Gains gains, _) = BeginWhereSomethingGains(device);
        Begin(device, export: device["device.json"]);

        using var folder = new PipelineFolder();
        folder.WriteModel(weightSeed: 11);
        string policy = File.ReadAllText(device.PolicyFile).Replace("threads: 1 }", "threads: 1, profile: device.json }", StringComparison.Ordinal);
        File.WriteAllText(folder.PolicyFile, policy);
        File.Copy(device["device.json"], folder["device.json"]);
        (_, Gains read) = Begin(folder);
        Assert.Equal(gains.Content.Key.Hex, read.Content.Key.Hex);
        Assert.DoesNotContain(folder.Log, l => l.StartsWith("whole", StringComparison.Ordinal));

        JsonObject profile = JsonNode.Parse(File.ReadAllText(folder["device.json"]))!.AsObject();
        Assert.NotEmpty(profile["whole"]!.AsArray());
        profile["whole"]!.AsArray().Clear();
        File.WriteAllText(folder["device.json"], profile.ToJsonString());
        Assert.Equal(gains.With(surpluses: []).Content.Key.Hex, Begin(folder).Gains.Content.Key.Hex);
    }

    /// <summary>A model of less than a millisecond is not timed for it, and with an objective that is computed nothing is.</summary>
    [Theory]
    [InlineData("time")]
    [InlineData("memory")]
    public void WhereItCannotBeToldItIsNotMeasured(string objective)
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("1%", $"objective: {objective}");
        (_, Gains gains) = Begin(folder);
        Assert.DoesNotContain(folder.Log, l => l.StartsWith("whole", StringComparison.Ordinal));
        Assert.Equal(gains.Content.Key.Hex, gains.With(surpluses: []).Content.Key.Hex);
    }

    /// <summary>With the first size of the batch at which the model takes long enough here, and some format gains: of other sizes nothing is measured.</summary>
    private static (PlanningInput Input, Gains Gains, Gains Alone) BeginWhereSomethingGains(PipelineFolder folder)
    {
        string policy = File.ReadAllText(folder.PolicyFile);
        foreach (int batch in new[] { 8192, 32768, 131072 })
        {
            File.WriteAllText(folder.PolicyFile, policy.Replace("batch: 16", $"batch: {batch}", StringComparison.Ordinal));
            (PlanningInput input, Gains gains) = Begin(folder);
            Gains alone = gains.With(surpluses: []);
            bool isMeasured = alone.OriginalMilliseconds >= 1
                && input.Partition.Subgraphs.Any(s => alone.Of(s).Any(g => g.Gain.Centre > 0 && g.Configuration.Formats.Any(f => f != Problems.Baseline)));
            Assert.Equal(isMeasured, folder.Log.Contains("whole started"));
            if (isMeasured)
            {
                return (input, gains, alone);
            }
        }

        throw new InvalidOperationException("No format gains at any size.");
    }

    private static (PlanningInput Input, Gains Gains) Begin(PipelineFolder folder, bool ofAll = false, string? export = null)
    {
        RunOptions options = folder.Options();
        var runner = new StageRunner(new ContentStore(folder["cache"]), new RunLog(options));
        using Materials materials = Materials.Open(folder.PolicyFile, options, runner);
        Sensitivities sensitivities = Steps.Calibrate(materials, runner);
        var measuring = new Measuring(materials, runner);
        (PlanningInput input, Gains gains) = Steps.Begin(materials, measuring, Steps.Input(materials, materials.Allowed, sensitivities));
        if (export is not null)
        {
            Profiles.Write(export, materials, [measuring]);
        }

        return (input, ofAll ? measuring.AddSurpluses(input, gains.With(surpluses: []), ofAll) : gains);
    }
}
