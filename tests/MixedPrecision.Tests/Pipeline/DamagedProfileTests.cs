using System.Text.Json.Nodes;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>A profile comes from elsewhere: whatever is wrong with it is an error with a place, before anything is computed.</summary>
public sealed class DamagedProfileTests(ProfileFixture fixture) : IClassFixture<ProfileFixture>
{
    public static TheoryData<string, Action<JsonObject>> Damages => new()
    {
        { "schema 99", json => json["schema"] = 99 },
        { "states no schema", json => json.Remove("schema") },
        { "states no schema", json => json["schema"] = "1" },
        { "machine", json => json.Remove("machine") },
        { "null", json => json["machine"]!["options"] = null },
        { "null", json => json["subgraphs"]!.AsArray().Add(null) },
        { "cores", json => json["machine"]!["cores"] = "two" },
        { "cores or threads", json => json["machine"]!["cores"] = 0 },
        { "cores or threads", json => json["machine"]!["threads"] = -1 },
        { "no session option", json => json["machine"]!["options"] = new JsonArray("File.Delete(\"x\");") },
        { "empty list of options", json => json["machine"]!["options"] = new JsonArray() },
        { "timings", json => json["subgraphs"]![0]!.AsObject().Remove("timings") },
        { "64 digits", json => First(json)["key"] = "abc" },
        { "64 digits", json => First(json)["key"] = new string('G', 64) },
        { "stands there twice", json => json["subgraphs"]![1]!["timings"]!.AsArray().Add(First(json).DeepClone()) },
        { "1 formats for 2 layers", json => First(json)["formats"]!.AsArray().RemoveAt(0) },
        { "compares 'nothing'", json => First(json)["comparison"] = "nothing" },
        { "either a timing or why", json => First(json).Remove("timing") },
        { "either a timing or why", json => First(json)["unavailable"] = "it does not run" },
        { "no timing", json => First(json)["timing"]!["gainInterval"] = new JsonArray(1) },
        { "no timing", json => First(json)["timing"]!["gainInterval"] = new JsonArray(2, 1) },
        { "no timing", json => First(json)["timing"]!["originalMilliseconds"] = 0 },
        { "no timing", json => First(json)["timing"]!["gain"] = JsonNode.Parse("1e999") },
        { "no timing", json => First(json)["timing"]!["confidence"] = 2 },
        { "64 digits", json => AddWhole(json, w => w["key"] = "abc") },
        { "stands there twice", json => AddWhole(json, w => w["key"] = (string)First(json)["key"]!) },
        { "no timing", json => AddWhole(json, w => w["timing"]!["share"] = 2) },
        { "no timing", json => AddWhole(json, w => w["timing"]!["share"] = JsonNode.Parse("-1e999")) },
        { "no timing", json => AddWhole(json, w => w["timing"]!["originalMilliseconds"] = 0) },
        { "whole", json => json.Remove("whole") },
        { "pairs", json => First(json)["timing"]!["pairs"] = 1e30 },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void WhatItSaysIsChecked(string named, Action<JsonObject> damage)
    {
        using PipelineFolder folder = fixture.With(damage);
        Diagnostic found = Refused(folder);
        Assert.Equal(ProfileFixture.Name, found.Place.File);
        Assert.Contains(named, found.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("1")]
    [InlineData("model: model.onnx")]
    [InlineData("{\"schema\": 1, \"schema\": 1}")]
    [InlineData("\0\0\0\0")]
    public void WhatIsNoProfileIsRefused(string text)
    {
        using PipelineFolder folder = ProfileFixture.New();
        File.WriteAllText(folder[ProfileFixture.Name], text);
        Assert.Equal(ProfileFixture.Name, Refused(folder).Place.File);
    }

    /// <summary>Wherever a file is cut short, the place is in it.</summary>
    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    [InlineData(0.999)]
    public void WhatWasCutShortIsRefusedWithTheLine(double share)
    {
        using PipelineFolder folder = ProfileFixture.New();
        string text = fixture.Text[..(int)(share * fixture.Text.Length)];
        File.WriteAllText(folder[ProfileFixture.Name], text);
        Diagnostic found = Refused(folder);
        Assert.Equal((ProfileFixture.Name, text.Count(c => c == '\n') + 1), (found.Place.File, found.Place.Line));
    }

    [Fact]
    public void OneThatIsNotThereIsAnErrorWhereThePolicyNamesIt()
    {
        using PipelineFolder folder = ProfileFixture.New();
        Diagnostic found = Refused(folder);
        Assert.Equal((folder.PolicyFile, 6), (found.Place.File, found.Place.Line));
        Assert.Contains($"no file '{ProfileFixture.Name}'", found.Message, StringComparison.Ordinal);
        Directory.CreateDirectory(folder[ProfileFixture.Name]);
        Assert.Equal(6, Refused(folder).Place.Line);
    }

    [Fact]
    public void OneThatIsTooLargeIsNotRead()
    {
        using PipelineFolder folder = ProfileFixture.New();
        using (FileStream large = File.Create(folder[ProfileFixture.Name]))
        {
            large.SetLength((64 << 20) + 1);
        }

        Assert.Contains("larger than 64 MB", Refused(folder).Message, StringComparison.Ordinal);
    }

    /// <summary>Names from a profile stand in messages and on the page: nothing in them is taken for more than text.</summary>
    [Fact]
    public void WhatItNamesIsTextAlone()
    {
        using PipelineFolder folder = fixture.With(json =>
        {
            ProfileFixture.Set(json, dynamic: 0.1, weight: 0.3);
            json["machine"]!["processor"] = "</script>\u001b[31m\n";
            foreach (JsonObject timing in ProfileFixture.Timings(json))
            {
                timing["scenario"] = "</script>";
            }
        });
        QuantizeResult made = folder.Quantize();
        Assert.DoesNotContain(made.ToLines(), l => l.Contains('\u001b') || l.Contains('\n'));
        Assert.DoesNotContain("</script>\u001b", File.ReadAllText(made.Files.Single(f => f.EndsWith(".html", StringComparison.Ordinal))), StringComparison.Ordinal);
    }

    private static Diagnostic Refused(PipelineFolder folder)
    {
        Diagnostic found = Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic;
        Assert.Equal((Codes.ProfileInvalid, Severity.Error), (found.Code, found.Severity));
        Assert.Contains("benchmark POLICY --export FILE", found.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', found.Message);
        Assert.Empty(folder.Log);
        Assert.False(Directory.Exists(folder["out"]));
        return found;
    }

    private static void AddWhole(JsonObject profile, Action<JsonObject> change)
    {
        var whole = new JsonObject
        {
            ["format"] = "int8-weight",
            ["layers"] = new JsonArray("/a"),
            ["timing"] = new JsonObject { ["share"] = 0.1, ["originalMilliseconds"] = 2 },
            ["key"] = new string('0', 64),
        };
        change(whole);
        profile["whole"]!.AsArray().Add(whole);
    }

    private static JsonObject First(JsonObject profile) => profile["subgraphs"]![0]!["timings"]![0]!.AsObject();
}
