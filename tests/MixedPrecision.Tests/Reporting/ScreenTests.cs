using System.Text.RegularExpressions;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Reporting;

/// <summary>What verbs say of layers reads in a screen, whatever the model.</summary>
public class ScreenTests
{
    private const int Screen = 40;

    private static readonly string[] Formats = ["int8-dynamic(full,gptq)", "int4-weight(block=32,symmetric,accuracy=4,gptq)", "int4-weight(block=128,symmetric,accuracy=4,gptq)"];

    [Fact]
    public void ATwelveBlockModelIsInspectedInAScreen()
    {
        InspectedSubgraph[] blocks = [.. Enumerable.Range(0, 12).SelectMany(b => new[]
        {
            new InspectedSubgraph(2 * b, "aaaaaaaaaaaa", ["attention", "multi-head-attention"], [Layer($"/layers.{b}/q/MatMul", 256, 256), Layer($"/layers.{b}/k/MatMul", 256, 128), Layer($"/layers.{b}/v/MatMul", 256, 128), Layer($"/layers.{b}/MatMul"), Layer($"/layers.{b}/MatMul_1")]),
            new InspectedSubgraph((2 * b) + 1, "bbbbbbbbbbbb", [], [Layer($"/layers.{b}/down/MatMul", 704, 256)]),
        })];
        string[] lines = Lines(blocks);
        Assert.InRange(lines.Length, 10, 16);
        Assert.Contains("  0, 2, …, 22  aaaaaaaa  12 MatMul  256×256  /layers.{0–11}/q/MatMul", lines);
        Assert.Contains("                         12 MatMul  256×128  /layers.{0–11}/k/MatMul", lines);
        Assert.Contains("  1, 3, …, 23  bbbbbbbb  12 MatMul  704×256  /layers.{0–11}/down/MatMul", lines);
        Assert.Contains("12 sub-graphs (0, 2, …, 22) may be written as attention, multi-head-attention", lines);
    }

    /// <summary>A convolutional network: no two sub-graphs alike, no name that tells anything.</summary>
    [Theory]
    [InlineData(20, 6)]
    [InlineData(200, 1)]
    [InlineData(1, 300)]
    public void SoIsOneWhoseLayersAllDiffer(int subgraphs, int layers)
    {
        int number = 0;
        InspectedSubgraph[] all = [.. Enumerable.Range(0, subgraphs).Select(s => new InspectedSubgraph(s, $"{s:x12}", [], [.. Enumerable.Range(0, layers).Select(l =>
            new InspectedLayer($"Conv_{++number}", "Conv", l % 3 == 1 ? [16 + number, 1, 3, 3] : [16 + number, 8 + number, 1, 1], 1, ["int8-static"], new Dictionary<string, string> { [Formats[0]] = "slower", [Formats[1]] = "no kernel", [Formats[2]] = "no kernel" }))]))];
        string[] lines = Lines(all);
        Assert.InRange(lines.Length, 5, Screen);
        Assert.Contains($"{number} convolutions ('Conv_{{1–{number}}}'): not int4-weight: no kernel", lines);
        Assert.Equal(number, lines.Where(l => l.StartsWith("  ", StringComparison.Ordinal)).Sum(l => int.Parse(l.Split(" Conv ")[0].Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Fact]
    public void SensitivitiesKeepWhatMattersApart()
    {
        CalibratedLayer[] layers = [.. Enumerable.Range(0, 60).Select(i => new CalibratedLayer(
            $"Conv_{i}", new TaylorTerms(0, 0), Formats.ToDictionary(f => f, f => new CalibratedFormat(0, i == 7 ? 1e-4 : 1e-8 * (1.1 + (i / 60.0)), 0)), new Dictionary<string, string>()))];
        string[] lines = [.. (Examples.Calibrate with { Layers = layers, MeanSquareLoss = 1, Warnings = [] }).ToLines()];
        Assert.Equal(
            [
                ["int8-dynamic", "int4-weight(block=32)", "int4-weight(block=128)", "layer"],
                ["0.0105–0.0144 %", "0.0105–0.0144 %", "0.0105–0.0144 %", "59 layers: Conv_{0–6, 8–59}"],
                ["1 %", "1 %", "1 %", "Conv_7"],
            ],
            lines[2..].Select(l => Regex.Split(l.Trim(), " {2,}")));
        Assert.Equal(3 + 32, (Examples.Calibrate with { Layers = layers[..32], Warnings = [] }).ToLines().Count());
    }

    /// <summary>Of many timings those that gain most, of each kind of sub-graph.</summary>
    [Fact]
    public void TimingsShowWhatGainsMost()
    {
        BenchmarkedSubgraph[] kinds = [.. Enumerable.Range(0, 4).Select(kind => new BenchmarkedSubgraph($"{kind:x12}", [kind, kind + 4], ["a", "b", "c"],
        [
            .. Enumerable.Range(0, 30).Select(c => new BenchmarkedConfiguration("exported", [Formats[c % 3], "fp32", "fp32"], new BenchmarkedTiming(2, 2 - (c / 100.0), c / 100.0, [c / 100.0, c / 100.0], 0.9, 9, []), null, false)),
            new BenchmarkedConfiguration("exported", [Formats[0], Formats[0], Formats[0]], null, "no kernel", false),
        ]))];
        string[] lines = [.. (Examples.Benchmark with { Scenarios = [Examples.Benchmark.Scenarios[0] with { Subgraphs = kinds }], Warnings = [] }).ToLines()];
        Assert.InRange(lines.Length, 5, Screen);
        Assert.EndsWith(": 32 of 124 configurations, of each kind of sub-graph what gains most; --json has all:", lines[1], StringComparison.Ordinal);
        Assert.Equal(4, lines.Count(l => l.Contains("gain 0.29 ms [0.29, 0.29]", StringComparison.Ordinal) && l.EndsWith("int4-weight(block=128) 2×fp32", StringComparison.Ordinal)));
        Assert.Equal("not available: 4 configurations: no kernel", lines[^1]);
    }

    [Fact]
    public void APlanOfManyShapesIsOfFewKinds()
    {
        PlannedSubgraph[] plan = [.. Enumerable.Range(0, 100).Select(i => new PlannedSubgraph(i, $"{i}", "exported", new ReportedGain(1, [1, 1], "milliseconds"),
            [new PlannedLayer($"c{i}", "Conv", [8 + i, 4 + i, 3, 3], i < 90 ? "int8-static" : "fp32", null, new Dictionary<string, double> { ["int8-static"] = 1e-9 }, new Dictionary<string, string>())]))];
        string[] lines = [.. (Examples.Solve with { Subgraphs = plan, Warnings = [] }).ToLines()];
        Assert.InRange(lines.Length, 4, Screen);
        Assert.Contains(lines, l => l.Contains("90 Conv  8–97×4–93×3×3", StringComparison.Ordinal) && l.EndsWith("'c{0–89}'", StringComparison.Ordinal));
    }

    private static InspectedLayer Layer(string name, params long[] shape) => new(name, "MatMul", shape, 1, ["int8-dynamic"], new Dictionary<string, string>());

    private static string[] Lines(InspectedSubgraph[] subgraphs) => [.. (Examples.Inspect with { Subgraphs = subgraphs, Excluded = [], Differentiation = [] }).ToLines()];
}
