using System.Text.Json.Nodes;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>What a lock rests on may not drift from it unnoticed, and its files are not trusted.</summary>
public sealed class LockDriftTests(LockDriftTests.Locked locked) : IClassFixture<LockDriftTests.Locked>, IDisposable
{
    private const string More = "formats: int8-dynamic\nobjective: theoretical-time";

    private readonly PipelineFolder folder = new(locked.Folder);

    private string LockPath => folder["model.precision.lock.json"];

    private string Binary => folder["model.precision.lock.bin"];

    [Fact]
    public void AnotherModel()
    {
        folder.WriteModel(weightSeed: 2, scale: 3, isGated: true);
        Diagnostic found = Refused(Codes.LockModelDrift);
        Assert.Equal((folder.PolicyFile, 1), (found.Place.File, found.Place.Line));
        Assert.Contains("mixed-precision lock", found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnotherPolicyNamesTheKeysAndBothSides()
    {
        folder.WritePolicy("2%", More + "\nminimumGain: 2%");
        Diagnostic found = Refused(Codes.LockPolicyDrift);
        Assert.Contains("budget: found '2%', locked '100%'; minimumGain: found '2%', locked nothing", found.Message, StringComparison.Ordinal);
        Assert.Equal(2, found.Place.Line);
    }

    [Fact]
    public void APolicyThatIsWrittenOtherwiseIsTheSame()
    {
        string[] lines = File.ReadAllLines(folder.PolicyFile);
        File.WriteAllText(folder.PolicyFile, "# formatted anew\r\n" + string.Join("\r\n", lines.Reverse()).Replace("{ data: evaluation.jsonl }", "\r\n  data: 'evaluation.jsonl' # held out", StringComparison.Ordinal) + "\r\n");
        Assert.NotEmpty(folder.Quantize().Files);
    }

    [Fact]
    public void ABudgetFromTheCommandLine()
    {
        MixedPrecisionException e = Assert.Throws<MixedPrecisionException>(() => Verbs.Quantize(folder.PolicyFile, folder["out"], folder.Options() with { Budget = "3%" }));
        Assert.Equal(Codes.LockPolicyDrift, e.Diagnostic.Code);
        Assert.Equal("--budget", e.Diagnostic.Place.File);
    }

    [Theory]
    [InlineData("calibration.jsonl", 3)]
    [InlineData("evaluation.jsonl", 4)]
    public void OtherData(string file, int line)
    {
        folder.WriteData(file, seed: 9, samples: 12);
        Diagnostic found = Refused(Codes.LockDataDrift);
        Assert.Equal(line, found.Place.Line);
        Assert.Contains(file, found.Message, StringComparison.Ordinal);
        File.Delete(folder[file]);
        Assert.NotEmpty(folder.Quantize().Files);
    }

    public static TheoryData<string, Action<JsonNode>> OtherVersions => new()
    {
        { "schema", json => json["schema"] = 99 },
        { "manifest's schema", json => Model(json)["manifest"]!["schema"] = 1 },
        { "emission", json => json["versions"]!["emission"] = 1 },
        { "rewrites", json => json["versions"]!["rewrites"] = 99 },
        { "format", json => json["versions"]!["formats"]!.AsObject().First().Value!.ReplaceWith(99) },
        { "unknown format", json => json["versions"]!["formats"]!["int7"] = 1 },
    };

    [Theory]
    [MemberData(nameof(OtherVersions))]
    public void OtherVersionsOfTheTool(string what, Action<JsonNode> edit)
    {
        Edit(edit);
        Assert.Contains("version", Refused(Codes.LockOfOtherVersion).Message, StringComparison.Ordinal);
        Assert.NotEmpty(what);
    }

    public static TheoryData<string, Action<JsonNode>> OtherPlans => new()
    {
        { "a format", json => FirstQuantized(json)["format"] = "fp32" },
        { "a format that does not apply", json => { FirstQuantized(json)["format"] = "int8-static(reduced)"; Model(json)["layers"]!.AsArray().Clear(); } },
        { "a fingerprint", json => Model(json)["manifest"]!["subgraphs"]![0]!["fingerprint"] = "another" },
        { "fewer sub-graphs", json => Model(json)["manifest"]!["subgraphs"]!.AsArray().RemoveAt(0) },
        { "a name", json => FirstQuantized(json)["name"] = "nobody" },
        { "a structure", json => Model(json)["manifest"]!["subgraphs"]![0]!["structure"] = "multi-head-attention" },
        { "another part", json => Model(json)["layers"]![0]!["stored"] = Model(json)["layers"]!.AsArray()[Model(json)["layers"]!.AsArray().Count - 1]!["stored"]!.DeepClone() },
        { "the hash of constants", json => Model(json)["layers"]![0]!["sha256"] = new string('0', 64) },
        { "the hash of the file", json => Model(json)["manifest"]!["output"]!["sha256"] = new string('0', 64) },
    };

    [Theory]
    [MemberData(nameof(OtherPlans))]
    public void APlanThatWasEdited(string what, Action<JsonNode> edit)
    {
        Edit(edit);
        MixedPrecisionException e = Assert.Throws<MixedPrecisionException>(() => folder.Quantize());
        Assert.True(e.Diagnostic.Code == Codes.LockPlanDrift || e.Diagnostic.Code == Codes.LockInvalid || e.Diagnostic.Code == Codes.LockOfOtherVersion, $"{what}: {e.Message}");
        Assert.False(Directory.Exists(folder["out"]));
    }

    public static TheoryData<string, Action<JsonNode>> Damages => new()
    {
        { "no manifest", json => Model(json).AsObject().Remove("manifest") },
        { "no layers", json => Model(json).AsObject().Remove("layers") },
        { "no models", json => json["models"]!.AsArray().Clear() },
        { "nothing for models", json => json["models"] = null },
        { "a model that is none", json => json["models"]![0] = "model" },
        { "a model twice", json => json["models"]!.AsArray().Add(Model(json).DeepClone()) },
        { "another model's name", json => Model(json)["manifest"]!["output"]!["file"] = "other.mixed.onnx" },
        { "a layer without constants", json => Model(json)["layers"]!.AsArray().RemoveAt(0) },
        { "a layer twice", json => Model(json)["layers"]!.AsArray().Add(Model(json)["layers"]![0]!.DeepClone()) },
        { "nothing for a layer", json => Model(json)["layers"]!.AsArray().Add(null) },
        { "nothing for what may be absent", json => Model(json)["layers"]![0]!["stored"] = null },
        { "nothing for sub-graphs", json => Model(json)["manifest"]!["subgraphs"] = null },
        { "a text for a number", json => json["versions"]!["emission"] = "5" },
        { "a part outside", json => Model(json)["layers"]![0]!["stored"]!["offset"] = long.MaxValue },
        { "a negative part", json => Model(json)["layers"]![0]!["stored"]!["offset"] = -1 },
        { "a huge part", json => Model(json)["layers"]![0]!["stored"]!["length"] = long.MaxValue },
        { "an empty part", json => Model(json)["layers"]![0]!["stored"]!["length"] = 0 },
        { "no file of constants", json => json.AsObject().Remove("constants") },
        { "a hash of another form", json => Model(json)["manifest"]!["model"]!["sha256"] = "x" },
        { "a type that is none", json => json["types"]!["x"] = new JsonObject { ["elementType"] = 999, ["rank"] = 2 } },
        { "a rank beyond all", json => json["types"]!["x"] = new JsonObject { ["elementType"] = 1, ["rank"] = int.MaxValue } },
        { "an interval of one number", json => Model(json)["manifest"]!["predicted"]!["interval"]!.AsArray().RemoveAt(0) },
        { "a format of the plan", json => FirstQuantized(json)["format"] = "int8-dynamic" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void ALockThatIsDamaged(string what, Action<JsonNode> edit)
    {
        Edit(edit);
        Refused(Codes.LockInvalid);
        Assert.NotEmpty(what);
    }

    public static TheoryData<string> Texts => new("", "{", "[]", "null", "\"lock\"", "{\"schema\": 2}", "{\"schema\": 2, \"schema\": 2}", new string('[', 1000), "{\"schema\": {}, \"manifest\": 3}");

    [Theory]
    [MemberData(nameof(Texts))]
    public void ATextThatIsNoLock(string text)
    {
        File.WriteAllText(LockPath, text);
        Refused(Codes.LockInvalid);
    }

    [Fact]
    public void ATextThatIsTooLarge()
    {
        using (FileStream stream = File.OpenWrite(LockPath))
        {
            stream.SetLength(65 << 20);
        }

        Assert.Contains("64 MB", Refused(Codes.LockInvalid).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ConstantsThatAreOthers()
    {
        byte[] bytes = File.ReadAllBytes(Binary);
        bytes[bytes.Length / 2] ^= 1;
        File.WriteAllBytes(Binary, bytes);
        Assert.Equal(Binary, Refused(Codes.LockInvalid).Place.File);
        File.WriteAllBytes(Binary, bytes[..^1]);
        Refused(Codes.LockInvalid);
        File.Delete(Binary);
        Assert.Contains("needs it", Refused(Codes.LockInvalid).Message, StringComparison.Ordinal);
    }

    /// <summary>Also with a hash that fits: what is restored is checked by itself.</summary>
    [Fact]
    public void ConstantsThatNoLayerHas()
    {
        byte[] bytes = new byte[new FileInfo(Binary).Length];
        File.WriteAllBytes(Binary, bytes);
        Edit(json => json["constants"]!["sha256"] = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)));
        Refused(Codes.LockInvalid);
    }

    [Fact]
    public void ARangeThatIsNone()
    {
        folder.WriteConvolutions(weightSeed: 1);
        folder.WritePolicy("100%", "formats: \"int8-static(rounded)\"\nobjective: theoretical-time");
        Verbs.Lock(folder.PolicyFile, folder.Options());
        Assert.False(File.Exists(Binary));
        string whole = File.ReadAllText(LockPath);
        JsonNode Input(JsonNode json) => Model(json)["layers"]!.AsArray().First(l => l!["ranges"] is not null)!["ranges"]!["input"]!;
        Edit(json => Input(json)["low"] = 3);
        Refused(Codes.LockInvalid);
        File.WriteAllText(LockPath, whole);
        Edit(json => Model(json)["layers"]!.AsArray().First(l => l!["ranges"] is not null)!.AsObject().Remove("ranges"));
        MixedPrecisionException e = Assert.Throws<MixedPrecisionException>(() => folder.Quantize());
        Assert.True(e.Diagnostic.Code == Codes.LockInvalid || e.Diagnostic.Code == Codes.LockPlanDrift, e.Message);
        File.WriteAllText(LockPath, whole);
        Edit(json => Input(json)["high"] = 0.75);
        Refused(Codes.LockPlanDrift);
    }

    /// <summary>The remedy that messages name.</summary>
    [Fact]
    public void LockedAgainItFits()
    {
        folder.WriteModel(weightSeed: 2, scale: 3, isGated: true);
        folder.WritePolicy("100%", "formats: \"int8-dynamic(rounded)\"\nobjective: theoretical-time");
        Verbs.Lock(folder.PolicyFile, folder.Options());
        Assert.False(File.Exists(Binary));
        Assert.NotEmpty(folder.Quantize().Files);
    }

    public void Dispose() => folder.Dispose();

    private static JsonNode Model(JsonNode json) => json["models"]![0]!;

    private static JsonNode FirstQuantized(JsonNode json) =>
        Model(json)["manifest"]!["subgraphs"]!.AsArray().SelectMany(s => s!["layers"]!.AsArray()).First(l => l!["format"]!.GetValue<string>() != "fp32")!;

    private void Edit(Action<JsonNode> edit)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(LockPath))!;
        edit(json);
        File.WriteAllText(LockPath, json.ToJsonString());
    }

    private Diagnostic Refused(ErrorCode code)
    {
        MixedPrecisionException e = Assert.Throws<MixedPrecisionException>(() => folder.Quantize());
        Assert.True(code == e.Diagnostic.Code, e.Message);
        Assert.False(Directory.Exists(folder["out"]));
        return e.Diagnostic;
    }

    /// <summary>What each test damages a copy of.</summary>
    public sealed class Locked : IDisposable
    {
        public Locked()
        {
            Folder.WriteModel(weightSeed: 1, scale: 3, isGated: true);
            Folder.WritePolicy("100%", More);
            Verbs.Lock(Folder.PolicyFile, Folder.Options());
        }

        internal PipelineFolder Folder { get; } = new();

        public void Dispose() => Folder.Dispose();
    }
}
