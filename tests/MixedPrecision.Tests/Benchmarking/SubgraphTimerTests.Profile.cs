using MixedPrecision.Benchmarking;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Benchmarking;

/// <summary>What timings are of, and what comes of a profile.</summary>
public sealed partial class SubgraphTimerTests
{
    [Fact]
    public void WhatIsStoredSaysInWordsWhatItIsOf()
    {
        using (var first = new Bench(TwoBlocks(seed: 1), folder.Path))
        {
            first.Timer.Measure(first.Partition.Subgraphs[0], Configuration.Exported([FormatTexts.Int8Weight]), CancellationToken.None);
        }

        using var bench = new Bench(TwoBlocks(seed: 1), folder.Path);
        ConfigurationTiming timing = bench.Timer.Measure(bench.Partition.Subgraphs[0], Configuration.Exported([FormatTexts.Int8Weight]), CancellationToken.None);
        Assert.True(timing.Reused);
        StoredTiming stored = Assert.Single(bench.Timer.Known).Value;
        Assert.Equal((timing.Timings[0].Gain, null), (stored.Timing!.Gain, stored.Unavailable));
        TimingSubject of = stored.Of;
        Assert.Equal(bench.Partition.Subgraphs[0].Fingerprint, of.Fingerprint);
        Assert.Equal([("Add", 1), ("MatMul", 1), ("Relu", 1)], of.Operators.Select(o => (o.Key, o.Value)));
        Assert.Equal([new TimedLayer(bench.Partition.Subgraphs[0].Layers[0].Name, "MatMul")], of.Layers);
        Assert.Equal(("exported", "batch 4", "configuration"), (of.Structure, of.Scenario, of.Comparison));
        Assert.Equal([FormatTexts.Int8Weight], of.Formats);
        Assert.StartsWith("x: ", Assert.Single(of.Entry), StringComparison.Ordinal);
        Assert.Contains("[4, 32]", of.Entry[0], StringComparison.Ordinal);
        Assert.StartsWith("y0: ", Assert.Single(of.Exit), StringComparison.Ordinal);
    }

    /// <summary>With a profile the cache is passed over, nothing runs, and what is asked for in vain is counted once.</summary>
    [Fact]
    public void WithAProfileNothingIsMeasured()
    {
        Configuration known = Configuration.Exported([FormatTexts.Int8Weight]), other = Configuration.Exported([FormatTexts.Int8Dynamic]);
        IReadOnlyDictionary<string, StoredTiming> profile;
        using (var device = new Bench(TwoBlocks(seed: 1), folder.Path))
        {
            device.Timer.Measure(device.Partition.Subgraphs[0], known, CancellationToken.None);
            profile = new Dictionary<string, StoredTiming>(device.Timer.Known);
            device.Timer.Measure(device.Partition.Subgraphs[0], other, CancellationToken.None);
            device.Timer.MeasureEdge((device.Partition.Subgraphs[0], other), (device.Partition.Subgraphs[1], other), CancellationToken.None);
        }

        using var bench = new Bench(TwoBlocks(seed: 2), folder.Path, profile: profile, threads: 3);
        Subgraph second = bench.Partition.Subgraphs[1];
        IReadOnlyList<ConfigurationTiming> found = bench.Timer.Measure(second, [known, other], CancellationToken.None);
        Assert.Equal(profile.Values.Single().Timing, found[0].Timings.Single());
        Assert.Equal((true, false), (found[0].Reused, found[0].IsAbsent));
        Assert.Equal((false, true, 0), (found[1].Reused, found[1].IsAbsent, found[1].Timings.Count));
        Assert.Contains("benchmark POLICY --export FILE", found[1].Unavailable, StringComparison.Ordinal);
        Assert.Equal(1, bench.Timer.Missing);
        bench.Timer.Measure(bench.Partition.Subgraphs[0], [other], CancellationToken.None);
        bench.Timer.Measure(second, [other], CancellationToken.None, exactly: TimingSettings.Rivals);
        Assert.Equal(1, bench.Timer.Missing);
        Assert.Empty(bench.Timer.MeasureEdge((bench.Partition.Subgraphs[0], other), (second, other), CancellationToken.None));
        Assert.Equal((0, 1, 2), (bench.Timer.Measured, bench.Timer.Reused, bench.Timer.Missing));
        Assert.Equal([known], bench.Timer.Profiled(second, _ => ["fp32", FormatTexts.Int8Dynamic, FormatTexts.Int8Weight]));
        Assert.Empty(bench.Timer.Profiled(second, _ => ["fp32", FormatTexts.Int8Dynamic]));

        // What another scenario timed is none of this one's.
        using var larger = new Bench(TwoBlocks(seed: 1), folder.Path, batch: 8, profile: profile);
        Assert.Empty(larger.Timer.Profiled(larger.Partition.Subgraphs[1], _ => ["fp32", FormatTexts.Int8Dynamic, FormatTexts.Int8Weight]));
        Assert.Equal(0, larger.Timer.Missing);
    }
}
