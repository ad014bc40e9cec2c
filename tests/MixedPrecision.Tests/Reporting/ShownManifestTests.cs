using System.Text.Json.Nodes;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Reporting;

public sealed class ShownManifestTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ItSaysWhatTheBuildSaidAndWhatItStandsOn()
    {
        Manifest manifest = Examples.Manifest;
        string[] lines = [.. new ShownManifest(manifest).ToLines()];
        Assert.Equal(manifest.ToLines().Select(Wording.EscapeWhole), lines[..manifest.ToLines().Count()]);
        Assert.Contains(lines, l => l.Contains("model.policy.yaml", StringComparison.Ordinal) && l.Contains("lossIncrease: 0.5%", StringComparison.Ordinal) && l.Contains("256 samples", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.Contains("Example CPU, 4 cores", StringComparison.Ordinal) && l.Contains("ONNX Runtime 1.31.1", StringComparison.Ordinal));
    }

    /// <summary>Twelve equal blocks of four layers read in as many rows as one.</summary>
    [Fact]
    public void EqualLayersStandTogether()
    {
        PlannedSubgraph[] blocks = [.. Enumerable.Range(0, 12).Select(block => new PlannedSubgraph(block, "f", "exported", new ReportedGain(1, [1, 1], "milliseconds"),
        [
            Layer($"/{block}/query", "int8-dynamic"), Layer($"/{block}/value", "int8-dynamic"), Layer($"/{block}/out", "fp32"),
            Layer($"/{block}/scores", "fp32", pinned: "*scores"),
        ]))];
        IReadOnlyList<LayerGroup> groups = LayerGroup.Of(blocks, null, 1e-6);
        Assert.Equal([24, 12, 12], groups.Select(g => g.Names.Count));
        Assert.Equal(["", "too sensitive by itself", "the rule '*scores' sets it"], groups.Select(g => g.Why));
        Assert.Equal(24 * 2e-6, groups[0].LossMse!.Value, 12);
        Assert.Null(groups[1].LossMse);

        string[] lines = [.. new ShownManifest(Examples.Manifest with { Subgraphs = blocks, Frontier = null, Tried = null }).ToLines()];
        Assert.InRange(lines.Length, 5, 30);
        Assert.Contains(lines, l => l.Contains("24 MatMul", StringComparison.Ordinal) && l.Contains("'/{0–11}/query', '/{0–11}/value'", StringComparison.Ordinal));
    }

    [Fact]
    public void ALayerThatWasTimedAndNeverGainedSaysSo()
    {
        PlannedSubgraph[] plan = [new(0, "f", "exported", new ReportedGain(0, [0, 0], "milliseconds"), [Layer("a", "fp32"), Layer("b", "fp32")])];
        TriedSubgraph[] tried =
        [
            new("f",
            [
                new("exported", ["int8-dynamic", "fp32"], new ReportedGain(-0.5, [-1, 0], "milliseconds")),
                new("exported", ["fp32", "int8-dynamic"], new ReportedGain(1, [0.5, 1.5], "milliseconds")),
            ]),
        ];
        Assert.Equal(["no format was found to gain", "the gain is not worth the loss"], LayerGroup.Of(plan, tried, 1).Select(g => g.Why));
    }

    [Fact]
    public void NothingOfAStrangersReachesTheTerminalAsControlCharacter() =>
        Assert.All(new ShownManifest(Examples.Manifest with { Engine = "\u001b]0;x\u0007", Reasons = [Examples.HostileName] }).ToLines(), line => Assert.DoesNotContain(line, char.IsControl));

    [Fact]
    public void AnOldManifestIsShownAndOneThatCannotBeReadIsAnError()
    {
        JsonNode old = JsonNode.Parse(Examples.Manifest.ToJson())!;
        foreach (string later in new[] { "policy", "advice", "compared", "frontier", "tried", "reasons" })
        {
            Assert.True(old.AsObject().Remove(later));
        }

        Assert.NotEmpty(Verbs.Show(Write("old.json", old.ToJsonString())).ToLines());

        JsonNode cut = JsonNode.Parse(Examples.Manifest.ToJson())!;
        cut["measured"]!["scenarios"]![0]!["speedupInterval"] = new JsonArray(1.5);
        foreach (string file in new[] { Write("cut.json", cut.ToJsonString()), Write("none.json", "{}"), folder.Combine("absent.json") })
        {
            Assert.Equal((Codes.FileUnusable, file), Failure(() => Verbs.Show(file)));
            Assert.Equal((Codes.FileUnusable, file), Failure(() => Verbs.Diff(folder.Combine("old.json"), file)));
        }
    }

    private static (ErrorCode Code, string? File) Failure(Func<object> run) => Assert.Throws<MixedPrecisionException>(run).Diagnostic is var found ? (found.Code, found.Place.File) : default;

    private static PlannedLayer Layer(string name, string format, string? pinned = null) =>
        new(name, "MatMul", [192, 192], format, pinned, new Dictionary<string, double> { ["int8-dynamic"] = 2e-6 }, new Dictionary<string, string>());

    private string Write(string name, string text)
    {
        File.WriteAllText(folder.Combine(name), text);
        return folder.Combine(name);
    }
}
