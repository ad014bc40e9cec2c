using System.Text.Json.Nodes;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Reporting;

public class ReportTests
{
    [Fact]
    public void InspectHasTheWordsOfTheInterface()
    {
        JsonNode report = JsonNode.Parse(Examples.Inspect.ToJson())!;
        Assert.Equal("0123456789abcdef", (string?)report["subgraphs"]![0]!["fingerprint"]);
        JsonNode layer = report["subgraphs"]![0]!["layers"]![0]!;
        Assert.Equal(Examples.HostileName, (string?)layer["name"]);
        Assert.Equal("MatMul", (string?)layer["operator"]);
        Assert.Equal([192, 768], layer["weightShape"]!.AsArray().Select(v => (int)v!));
        Assert.Equal(147_456, (long?)layer["parameters"]);
        JsonNode excluded = report["excluded"]![0]!;
        Assert.Equal(("/lstm", "LSTM", "recurrent"), ((string?)excluded["name"], (string?)excluded["operator"], (string?)excluded["reason"]));
    }

    [Fact]
    public void CalibrateHasTheWordsOfTheInterface()
    {
        JsonNode report = JsonNode.Parse(Examples.Calibrate.ToJson())!;
        Assert.Equal(256, (int?)report["samples"]);
        Assert.Equal(0.25, (double?)report["meanSquareLoss"]);
        JsonNode layer = report["layers"]![0]!;
        Assert.Equal("/encoder/query", (string?)layer["name"]);
        Assert.Equal((0.5, 0.25), ((double?)layer["taylor"]!["activation"], (double?)layer["taylor"]!["weight"]));
        Assert.Equal((2e-8, 1e-8), ((double?)layer["formats"]!["int8-dynamic"]!["taylor"], (double?)layer["formats"]!["int8-dynamic"]!["measured"]));
    }

    [Fact]
    public void BenchmarkTellsMeasuredFromUnavailable()
    {
        JsonNode report = JsonNode.Parse(Examples.Benchmark.ToJson())!;
        JsonArray configurations = report["scenarios"]![0]!["subgraphs"]![0]!["configurations"]!.AsArray();
        Assert.Equal(3.75, (double?)configurations[0]!["timing"]!["gain"]);
        Assert.Null(configurations[2]!["timing"]);
        Assert.Equal("no kernel", (string?)configurations[2]!["unavailable"]);
        string[] lines = [.. Examples.Benchmark.ToLines()];
        Assert.Contains(lines, l => l.Contains("gain 3.75 ms [3.5, 4]"));
        Assert.Contains(lines, l => l.Contains("no significant difference"));
        Assert.Contains(lines, l => l.Contains("no kernel"));
    }

    [Fact]
    public void CalibrateLinesGiveTheRelativeErrorOfEachFormat() =>
        Assert.Contains(Examples.Calibrate.ToLines(), l => l.Contains("0.02 %") && l.EndsWith("/encoder/query"));

    [Fact]
    public void NamesOfAModelCannotSteerTheTerminalOrEndAScript()
    {
        IEnumerable<string> lines = [.. Examples.Inspect.ToLines(), .. Examples.Solve.ToLines(), .. Examples.Calibrate.ToLines(), .. Examples.Manifest.ToLines()];
        Assert.All(lines, l => Assert.DoesNotContain(l, char.IsControl));
        Assert.All(new[] { Examples.Inspect.ToJson(), Examples.Solve.ToJson(), Examples.Manifest.ToJson() }, j => Assert.DoesNotContain("</script>", j));
    }

    [Fact]
    public void TablesAreAligned() =>
        Assert.Equal(["  a    bb", "  ccc  d", "  e"], ReportText.Table([["a", "bb"], ["ccc", "d"], ["e", ""]]));

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.0123456, "0.0123")]
    [InlineData(1.5, "1.5")]
    [InlineData(12.345, "12.3")]
    [InlineData(1234.4, "1234")]
    [InlineData(-0.5, "-0.5")]
    [InlineData(1.234567e-7, "1.23e-07")]
    [InlineData(double.PositiveInfinity, "Infinity")]
    public void NumbersHaveThreeDigitsOrMore(double value, string text) => Assert.Equal(text, ReportText.Number(value));
}
