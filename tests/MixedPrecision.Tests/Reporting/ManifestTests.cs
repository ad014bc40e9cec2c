using System.Text.Json.Nodes;
using MixedPrecision.Reporting;
using NJsonSchema;

namespace MixedPrecision.Tests.Reporting;

public class ManifestTests
{
    [Fact]
    public void HoldsThePropertiesThatOtherProgramsRelyOn()
    {
        JsonNode manifest = JsonNode.Parse(Examples.Manifest.ToJson())!;
        Assert.Equal("/encoder/query", (string?)manifest["subgraphs"]![0]!["layers"]![0]!["name"]);
        Assert.Equal("int8-dynamic", (string?)manifest["subgraphs"]![0]!["layers"]![0]!["format"]);
        Assert.Equal(1.5e-5, (double?)manifest["predicted"]!["lossMse"]);
        Assert.Equal(3.5, (double?)manifest["predicted"]!["gain"]!["value"]);
        JsonNode measured = manifest["measured"]!;
        Assert.Equal(1.25e-5, (double?)measured["lossMse"]);
        Assert.Equal(Math.Sqrt(5e-5), (double?)measured["relativeLossError"]);
        Assert.Equal(-1e-4, (double?)measured["meanLossChange"]);
        JsonNode scenario = measured["scenarios"]![0]!;
        Assert.Equal(10.25, (double?)scenario["originalMilliseconds"]);
        Assert.Equal(6.5, (double?)scenario["mixedMilliseconds"]);
        Assert.Equal(10.25 / 6.5, (double?)scenario["speedup"]);
        Assert.Equal([10.25 / 6.75, 10.25 / 6.25], scenario["speedupInterval"]!.AsArray().Select(v => (double)v!));
        Assert.Equal(13_600_000, (long?)manifest["bytes"]!["original"]);
        Assert.Equal(9_000_000, (long?)manifest["bytes"]!["mixed"]);
        Assert.Equal("optimal", (string?)manifest["solver"]!["status"]);
        Assert.Equal(3.25, (double?)manifest["solver"]!["bound"]);
    }

    [Fact]
    public void EqualContentGivesEqualBytes()
    {
        Assert.Equal(Examples.Manifest.ToJson(), Examples.Manifest.ToJson());
        Assert.DoesNotContain('\r', Examples.Manifest.ToJson());
        Assert.EndsWith("}\n", Examples.Manifest.ToJson());
    }

    [Fact]
    public async Task TheSchemaAcceptsIt()
    {
        JsonSchema schema = await Schema();
        Assert.Empty(schema.Validate(Examples.Manifest.ToJson()));
        Manifest without = Examples.Manifest with { Measured = Measurement.Of(null, []), Solver = null, Loss = null, Compared = [], Attempts = [] };
        Assert.Empty(schema.Validate(without.ToJson()));
    }

    [Theory]
    [InlineData("unknown", "1")]
    [InlineData("budget", "\"1%\"")]
    [InlineData("solver", "{}")]
    [InlineData("measured", null)]
    public async Task TheSchemaRefusesWhatIsNone(string property, string? value)
    {
        JsonObject manifest = JsonNode.Parse(Examples.Manifest.ToJson())!.AsObject();
        manifest.Remove(property);
        if (value is not null)
        {
            manifest[property] = JsonNode.Parse(value);
        }

        Assert.NotEmpty((await Schema()).Validate(manifest.ToJsonString()));
    }

    [Fact]
    public void TheSchemaDescribesEveryPropertyOfEveryRecord() => DescribedRecords.AreThoseOf(SchemaText, typeof(Manifest));

    [Fact]
    public void LinesForPeopleSayWhatMatters()
    {
        string[] lines = [.. Examples.Manifest.ToLines()];
        Assert.Equal("model.mixed.onnx: 2 layers: 1 fp32, 1 int8-dynamic, 13.60 MB → 9.00 MB", lines[0]);
        Assert.Contains("measured: relative loss error 0.707 % of 1 % allowed (loss MSE 1.25e-05), mean loss change -1e-04", lines);
        Assert.Contains("accuracy: 82.4 % → 82.4 %", lines);
        Assert.Contains("batch 8, sequence 48: 10.3 ms → 6.5 ms, 1.58× [1.52×, 1.64×]", lines);
        Assert.Contains(
            "advice: options.AddFreeDimensionOverrideByName(\"batch\", 8); options.AddFreeDimensionOverrideByName(\"sequence\", 48); saves 3 % of the time [2 %, 4 %]; "
                + "the session then takes inputs of these sizes alone",
            lines);
        Assert.Contains("for the scenario 'many </script>' alone: the same plan as model.one.mixed.onnx", lines);
        Assert.Contains("warning: the machine is noisy", lines);
    }

    private static string SchemaText => File.ReadAllText(RepositoryRoot.Path("build/manifest.schema.json"));

    private static Task<JsonSchema> Schema() => JsonSchema.FromJsonAsync(SchemaText);
}
