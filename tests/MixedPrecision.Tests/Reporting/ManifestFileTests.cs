using System.Text.Json;
using System.Text.Json.Nodes;
using MixedPrecision.Execution;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Reporting;

public class ManifestFileTests
{
    [Fact]
    public void WhatWasWrittenIsReadBack() => Assert.Equal(Examples.Manifest.ToJson(), ManifestFile.Parse(Examples.Manifest.ToJson()).ToJson());

    [Theory]
    [InlineData("budget")]
    [InlineData("subgraphs")]
    [InlineData("measured")]
    [InlineData("machine.processor")]
    [InlineData("predicted.gain.unit")]
    [InlineData("budget.solvedTau")]
    public void WhatIsNotOptionalHasToBeThere(string path)
    {
        JsonNode manifest = JsonNode.Parse(Examples.Manifest.ToJson())!;
        string[] names = path.Split('.');
        Assert.True(names[..^1].Aggregate(manifest, (node, name) => node[name]!).AsObject().Remove(names[^1]));
        Assert.Contains(names[^1], Assert.Throws<JsonException>(() => ManifestFile.Parse(manifest.ToJsonString())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"schema\": \"2\"}")]
    [InlineData("{\"schema\": 1}")]
    [InlineData("{\"schema\": 2, \"schema\": 2}")]
    public void WhatIsNoManifestIsRefused(string json) => Assert.ThrowsAny<JsonException>(() => ManifestFile.Parse(json));

    [Theory]
    [InlineData("warnings", "[null]")]
    [InlineData("loss", "null")]
    [InlineData("bytes", "\"many\"")]
    [InlineData("frontier", "[{}]")]
    public void ValuesOfOtherKindsAreRefused(string property, string value)
    {
        JsonNode manifest = JsonNode.Parse(Examples.Manifest.ToJson())!;
        manifest[property] = JsonNode.Parse(value);
        Assert.ThrowsAny<JsonException>(() => ManifestFile.Parse(manifest.ToJsonString()));
    }

    [Fact]
    public void WhatALaterVersionAddsIsPassedOver()
    {
        JsonNode manifest = JsonNode.Parse(Examples.Manifest.ToJson())!;
        manifest["later"] = new JsonObject { ["a"] = 1 };
        Assert.Equal(Examples.Manifest.ToJson(), ManifestFile.Parse(manifest.ToJsonString()).ToJson());
    }

    [Theory]
    [InlineData("batch")]
    [InlineData("past \"+\" é\\ \n ]);")]
    public void SessionOptionsAreReadFromTheirStatements(string name)
    {
        Assert.All([SessionOption.FreeDimension(name, 8), new SessionOption(SessionOptionKind.ConfigEntry, name, name)], option => Assert.Equal(option, SessionOption.OfCode(option.ToCode())));
        Assert.ThrowsAny<JsonException>(() => SessionOption.OfCode($"options.Other(\"{name}\", 1);"));
        Assert.ThrowsAny<JsonException>(() => SessionOption.OfCode("options.AddSessionConfigEntry(1, 2);"));
    }
}
