using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Reporting;

public class ManifestComparisonTests
{
    private static readonly Manifest Manifest = Examples.Manifest;

    [Fact]
    public void OfTheSameThereIsOneLine()
    {
        ManifestDiff diff = Of(ManifestFile.Parse(Manifest.ToJson()));
        Assert.True(diff.IsSame);
        Assert.Equal(["a.json and b.json: the same"], diff.ToLines());
    }

    [Fact]
    public void EachFactThatDiffersIsNamedWithBoth()
    {
        ManifestDiff diff = Of(Manifest with
        {
            Model = Manifest.Model with { Sha256 = new string('c', 64) },
            Budget = Manifest.Budget with { Text = "lossIncrease: 2%", SolvedTau = 0.02 },
            Machine = Manifest.Machine with { Processor = "Another CPU", Cores = 8 },
            Predicted = Manifest.Predicted with { RelativeLossError = 0.016 },
            Measured = Manifest.Measured with { RelativeLossError = 0.014, Scenarios = [Manifest.Measured.Scenarios[0] with { MixedMilliseconds = 4, Speedup = 2.5 }] },
            Bytes = Manifest.Bytes with { Mixed = 7_000_000 },
        });
        Assert.False(diff.IsSame);
        string[] lines = [.. diff.ToLines()];
        foreach (string line in new[]
        {
            "model's SHA-256: aaaaaaaaaaaa… → cccccccccccc…",
            "budget: lossIncrease: 0.5% → lossIncrease: 2%",
            "τ of the plan: 1 % → 2 %",
            "predicted loss error: 0.8 % → 1.6 %",
            "time, batch 8, sequence 48: 6.5 ms, 1.58× → 4 ms, 2.50×",
            "size: 9.00 MB → 7.00 MB",
        })
        {
            Assert.Contains(line, lines);
        }

        Assert.Contains(lines, l => l.StartsWith("machine: Example CPU, 4 cores", StringComparison.Ordinal) && l.Contains(" → Another CPU, 8 cores", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, l => l.StartsWith("policy:", StringComparison.Ordinal) || l.StartsWith("also", StringComparison.Ordinal));
        Assert.Empty(diff.Layers);
    }

    [Fact]
    public void LayersThatChangeAlikeStandTogether()
    {
        PlannedSubgraph Block(int index, string format, string structure = "exported") => Examples.Plan[0] with
        {
            Index = index,
            Structure = structure,
            Layers = [Examples.Plan[0].Layers[0] with { Name = $"/{index}/query", Format = format }],
        };
        PlannedSubgraph[] before = [Block(0, "fp32"), Block(1, "fp32"), Block(2, "fp32"), Block(3, "int8-dynamic"), Block(4, "fp32")];
        PlannedSubgraph[] after = [Block(0, "int8-dynamic"), Block(1, "int8-dynamic"), Block(2, "fp32"), Block(3, "int8-dynamic", "fused"), Block(5, "fp32")];
        ManifestDiff diff = ManifestComparison.Of("a.json", Manifest with { Subgraphs = before }, "b.json", Manifest with { Subgraphs = after });
        Assert.Equal(
            ["fp32 → int8-dynamic: /0/query /1/query", "int8-dynamic → int8-dynamic in fused: /3/query", "fp32 → : /4/query", " → fp32: /5/query"],
            diff.Layers.Select(l => $"{l.Before} → {l.After}: {string.Join(' ', l.Names)}"));
        Assert.Contains("2 layers: MatMul 192×192, fp32 → int8-dynamic: '/{0–1}/query'", diff.ToLines());
        Assert.Contains(diff.Differences, d => d.What == "formats");
    }

    [Fact]
    public void EntriesOfListsStandOnlyInOne()
    {
        string[] lines = [.. Of(Manifest with { Warnings = ["another"], Advice = [] }).ToLines()];
        Assert.Contains("only in the first: warning: the machine is noisy", lines);
        Assert.Contains("only in the second: warning: another", lines);
        Assert.Contains(lines, l => l.StartsWith("only in the first: advice on free dimensions: ", StringComparison.Ordinal));
    }

    /// <summary>Nothing that differs is passed over in silence, also where no digit that is shown does.</summary>
    [Fact]
    public void WhatIsNotShownIsNamed()
    {
        ManifestDiff diff = Of(Manifest with { Frontier = [.. Manifest.Frontier!.Take(1)], Measured = Manifest.Measured with { RelativeLossError = Manifest.Measured.RelativeLossError * (1 + 1e-9) } });
        Assert.False(diff.IsSame);
        Assert.Empty(diff.Differences);
        Assert.Equal(["measured", "frontier"], diff.Others);
        Assert.Contains("\"others\"", diff.ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public void NothingOfAStrangersReachesTheTerminalAsControlCharacter() =>
        Assert.All(Of(Manifest with { Engine = Examples.HostileName, Policy = "\u001b[2J" }).ToLines(), line => Assert.DoesNotContain(line, char.IsControl));

    private static ManifestDiff Of(Manifest after) => ManifestComparison.Of("a.json", Manifest, "b.json", after);
}
