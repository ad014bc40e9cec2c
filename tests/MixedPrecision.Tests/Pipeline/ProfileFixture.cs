using System.Text.Json.Nodes;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>A profile that was exported once, for many tests: of a small classifier whose layers stand in pairs, in two formats.</summary>
public sealed class ProfileFixture : IDisposable
{
    public const string Name = "device.profile.json";

    /// <summary>Any plan is within the budget, and any gain is one, so that times alone decide.</summary>
    public const string More = "formats: [ \"int8-dynamic(paired)\", int8-weight ]\nsearchSeconds: 2\nminimumGain: 0%";

    private readonly PipelineFolder folder = New();

    public ProfileFixture()
    {
        // The policy names the profile that is not there yet.
        Report = Verbs.Benchmark(folder.PolicyFile, folder.Options(), folder[Name]);
        Log = [.. folder.Log];
        Text = File.ReadAllText(folder[Name]);
    }

    public BenchmarkReport Report { get; }

    public string Text { get; }

    /// <summary>What stages did for it.</summary>
    internal IReadOnlyList<string> Log { get; }

    /// <summary>A folder with the same model, data and policy, which names the profile, and an empty cache.</summary>
    internal static PipelineFolder New(string more = More)
    {
        var folder = new PipelineFolder();
        folder.WriteModel(weightSeed: 1, scale: 3, isGated: true);
        folder.WritePolicy("100%", more);
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace("threads: 1 }", $"threads: 1, profile: {Name} }}", StringComparison.Ordinal));
        return folder;
    }

    /// <summary>Such a folder with the profile in it, after a change.</summary>
    internal PipelineFolder With(Action<JsonObject> change, string more = More)
    {
        PipelineFolder made = New(more);
        File.WriteAllText(made[Name], Changed(change));
        return made;
    }

    internal string Changed(Action<JsonObject> change)
    {
        JsonObject json = JsonNode.Parse(Text)!.AsObject();
        change(json);
        return json.ToJsonString();
    }

    /// <summary>The timings of a profile.</summary>
    internal static IEnumerable<JsonObject> Timings(JsonObject profile) => profile["subgraphs"]!.AsArray().SelectMany(s => s!["timings"]!.AsArray()).Select(t => t!.AsObject());

    /// <summary>The formats of a timing, by their families.</summary>
    internal static string[] Formats(JsonObject timing) => [.. timing["formats"]!.AsArray().Select(f => ((string)f!).Split('(')[0])];

    /// <summary>Gives every timing an original of 1 ms and a gain for each layer.</summary>
    internal static void Set(JsonObject profile, double dynamic, double weight)
    {
        foreach (JsonObject timing in Timings(profile))
        {
            Set(timing, Formats(timing).Sum(f => f == "int8-dynamic" ? dynamic : f == "int8-weight" ? weight : 0));
        }
    }

    /// <summary>Gives a timing an original of 1 ms and a gain.</summary>
    internal static void Set(JsonObject timing, double gain) => timing["timing"] = new JsonObject
    {
        ["originalMilliseconds"] = 1,
        ["milliseconds"] = 1 - gain,
        ["gain"] = gain,
        ["gainInterval"] = new JsonArray(gain - 0.01, gain + 0.01),
        ["confidence"] = 0.95,
        ["pairs"] = 9,
        ["warnings"] = new JsonArray(),
    };

    public void Dispose() => folder.Dispose();
}
