using System.Globalization;
using System.Text.Json.Nodes;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>One lock holds the plans of all scenarios; the files that share their weights come out as they did.</summary>
public sealed class LockedScenariosTests(LockedTwoSides sides) : IClassFixture<LockedTwoSides>
{
    private static readonly string[] Bytewise = ["quantize started", "read-back started"];
    private static readonly string[] Known = ["quantize reused", "read-back reused"];

    /// <summary>Plans that differ, plans that are equal, and the original in place of both; what is done of it, and how many parts are stored of how many that are told.</summary>
    public static TheoryData<string, bool, string[], int, int> Cases => new()
    {
        { "", false, [.. Bytewise, .. Bytewise], 2, 2 },
        { "", true, [.. Bytewise, .. Bytewise], 2, 2 },
        { "50%", false, [.. Bytewise, .. Known], 2, 4 },
        { "0.0000001%", false, ["quantize started", "quantize reused"], 0, 0 },
        { "0.0000001%", true, ["quantize started", "quantize reused"], 0, 0 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void EveryFileComesOutWithoutDataCacheOrMeasurement(string budget, bool isExternal, string[] stages, int parts, int told)
    {
        using PipelineFolder folder = sides.Solved();
        if (budget.Length > 0)
        {
            TwoSides.WritePolicy(folder, budget);
        }

        if (isExternal)
        {
            using OnnxModel model = OnnxModel.Load(folder["model.onnx"]);
            Quantizer.Save(model, model.Proto.Clone(), folder["model.onnx"], isApart: true);
        }

        QuantizeResult free = folder.Quantize("free");
        LockResult made = LockTests.In(LockTests.Cultures[0], () => Verbs.Lock(folder.PolicyFile, folder.Options()));
        Assert.Equal([.. parts > 0 ? ["model.precision.lock.bin"] : Array.Empty<string>(), "model.precision.lock.json"], made.Files.Select(Path.GetFileName));
        Assert.Equal(free.Manifests.Select(m => m.ToJson()), made.Lock.Models.Select(m => m.Manifest.ToJson()));
        Assert.Contains(made.ToLines(), l => l.StartsWith($"{TwoSides.Left}, {TwoSides.Right} share {TwoSides.Data}: ", StringComparison.Ordinal));
        LockedPart[] stored = [.. made.Lock.Models.SelectMany(m => m.Layers).Select(l => l.Stored).OfType<LockedPart>()];
        Assert.Equal((parts, told), (stored.Distinct().Count(), stored.Length));
        Assert.Equal(stored.Distinct().Sum(p => p.Length), made.Lock.Constants?.Bytes ?? 0);
        Assert.Equal(made.Lock.ToJson(), LockFile.Read(folder["model.precision.lock.json"]).ToJson());
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.GetDirectoryName(folder.PolicyFile)!, ".mixed-precision-*"));

        File.Delete(folder["calibration.jsonl"]);
        foreach ((int number, CultureInfo culture) in LockTests.Cultures.Index())
        {
            Directory.Delete(folder["cache"], recursive: true);
            QuantizeResult locked = LockTests.In(culture, () => Verbs.Quantize(folder.PolicyFile, folder[$"locked {number}"], folder.Options() with { IsLocked = true }));
            Assert.Equal(stages, folder.Log);
            Assert.Equal(free.Files.Select(Path.GetFileName), locked.Files.Select(Path.GetFileName));
            Assert.Equal(free.Files.Select(File.ReadAllBytes), locked.Files.Select(File.ReadAllBytes));
            Assert.Equal(free.Files.Select(Path.GetFileName).Order(StringComparer.Ordinal), Directory.GetFileSystemEntries(folder[$"locked {number}"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
            Assert.Equal(parts > 0 ? [] : new[] { "for the scenario 'Left side', ", "for the scenario 'right: side/2', " }, folder.Warnings.Select(w => w.Message[w.Message.IndexOf("for the scenario", StringComparison.Ordinal)..(w.Message.IndexOf("', ", StringComparison.Ordinal) + 3)]));
            Assert.All(folder.Warnings, w => Assert.Equal(Codes.NothingGained, w.Code));
            Assert.Contains(folder["model.precision.lock.json"], locked.InputFiles);
            Assert.Contains(folder["model.precision.lock.bin"], locked.InputFiles);
        }
    }

    [Fact]
    public void TheSizesOfEachScenarioAreFixedAsTheAppDoes()
    {
        using PipelineFolder folder = sides.Solved();
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace("threads: 1", "threads: 1, freeDimensions: true", StringComparison.Ordinal));
        LockResult made = Verbs.Lock(folder.PolicyFile, folder.Options());
        Assert.Equal(
            [[SessionOption.FreeDimension("m", 64), SessionOption.FreeDimension("n", 1)], [SessionOption.FreeDimension("m", 1), SessionOption.FreeDimension("n", 64)]],
            made.Lock.Models.Select(m => m.Manifest.Machine.Options!.ToArray()));
        Assert.Equal(made.Lock.Models.Select(m => m.Manifest.ToJson()), folder.Quantize().Manifests.Select(m => m.ToJson()));
        Assert.Equal([.. Bytewise, .. Bytewise], folder.Log);
    }

    public static TheoryData<string, string, string> OtherScenarios => new()
    {
        { "inputs: { m: 1, n: 64 }", "inputs: { m: 1, n: 63 }", "scenarios" },
        { "Left side", "Left hand", "scenarios" },
        { "plans: per-scenario", "  - { name: third, inputs: { m: 2, n: 2 } }\nplans: per-scenario", "scenarios" },
        { ", weight: 2", ", weight: 0", "scenarios" },
        { "plans: per-scenario", "plans: one", "plans" },
    };

    [Theory]
    [MemberData(nameof(OtherScenarios))]
    public void OtherScenariosAreAnotherPolicyUntilLockedAgain(string from, string to, string key)
    {
        using PipelineFolder folder = sides.Locked();
        string locked = File.ReadAllText(folder["model.precision.lock.json"]);
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace(from, to, StringComparison.Ordinal));
        Diagnostic drift = Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic;
        Assert.Equal((Codes.LockPolicyDrift, folder.PolicyFile), (drift.Code, drift.Place.File));
        Assert.Contains($"made: {key}", drift.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["out"]));

        LockResult again = Verbs.Lock(folder.PolicyFile, folder.Options());
        Assert.NotEqual(locked, File.ReadAllText(folder["model.precision.lock.json"]));
        Assert.Equal(again.Lock.Models.Select(m => m.Manifest.Output.File), folder.Quantize().Manifests.Select(m => m.Output.File));
        Assert.Equal(["model.precision.lock.bin", "model.precision.lock.json"], Directory.GetFiles(Path.GetDirectoryName(folder.PolicyFile)!, "*.lock.*").Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    public static TheoryData<string, Action<JsonArray>, string> Edits => new()
    {
        { "fewer", models => models.RemoveAt(1), Codes.LockInvalid.Id },
        { "others", models => models.Add(models[0]!.DeepClone()), Codes.LockInvalid.Id },
        { "in another order", models => { JsonNode first = models[0]!; models.RemoveAt(0); models.Add(first); }, Codes.LockInvalid.Id },
        { "no plan", models => models[1]!.AsObject().Remove("manifest"), Codes.LockInvalid.Id },
        { "another version", models => models[1]!["manifest"]!["schema"] = 1, Codes.LockOfOtherVersion.Id },
        { "another model", models => models[1]!["manifest"]!["model"]!["sha256"] = new string('0', 64), Codes.LockModelDrift.Id },
        { "another file", models => models[1]!["manifest"]!["output"]!["sha256"] = new string('0', 64), Codes.LockPlanDrift.Id },
        { "the plan of the other", models => models[1]!["layers"] = models[0]!["layers"]!.DeepClone(), Codes.LockInvalid.Id },
        { "the original", models => models[1]!["manifest"]!["shipped"]!["what"] = "original", Codes.LockPlanDrift.Id },
    };

    [Theory]
    [MemberData(nameof(Edits))]
    public void ALockThatWasEdited(string what, Action<JsonArray> edit, string code)
    {
        using PipelineFolder folder = sides.Locked();
        JsonNode json = JsonNode.Parse(File.ReadAllText(folder["model.precision.lock.json"]))!;
        edit(json["models"]!.AsArray());
        File.WriteAllText(folder["model.precision.lock.json"], json.ToJsonString());
        Diagnostic found = Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic;
        Assert.True(code == found.Code.Id, $"{what}: {found.Code} {found.Message}");
        Assert.False(Directory.Exists(folder["out"]));
    }
}
