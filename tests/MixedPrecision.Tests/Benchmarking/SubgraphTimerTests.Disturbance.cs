using MixedPrecision.Benchmarking;
using MixedPrecision.Structures;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Benchmarking;

/// <summary>Comparisons that something else ran beside.</summary>
public sealed partial class SubgraphTimerTests
{
    /// <summary>What the original takes in one comparison after the other, of which each saves a tenth; the first is of four formats, the second of two.</summary>
    /// <param name="comparisons">How many are made.</param>
    /// <param name="first">The original's time of what counts for the first four.</param>
    /// <param name="second">The same for the others.</param>
    [Theory]
    [InlineData(new[] { 1.0, 1.05 }, 2, 1.0, 1.05)]
    [InlineData(new[] { 1.6, 1.0, 1.02 }, 3, 1.02, 1.0)]
    [InlineData(new[] { 1.0, 1.6, 1.5, 1.05 }, 4, 1.0, 1.05)]
    [InlineData(new[] { 1.0, 1.6, 1.3, 1.4, 1.7 }, 5, 1.0, 1.3)]
    [InlineData(new[] { 1.2, 1.2, }, 2, 1.2, 1.2)]
    public void WhatIsDisturbedIsComparedAgain(double[] originals, int comparisons, double first, double second)
    {
        int made = 0;
        Configuration[] six = [.. new[] { FormatTexts.Int8Dynamic, FormatTexts.Int8Weight, FormatTexts.Int4Weight, "int8-weight(block=16)", "int8-weight(block=128)", "int4-weight(block=16)" }.Select(f => Configuration.Exported([f]))];
        using (var bench = new Bench(TwoBlocks(seed: 1), folder.Path, compare: Compare))
        {
            IReadOnlyList<ConfigurationTiming> timings = bench.Timer.Measure(bench.Partition.Subgraphs[0], six, CancellationToken.None);
            Check(timings);
            Assert.Equal((6, 0), (bench.Timer.Measured, bench.Timer.Reused));
        }

        // What is kept is what counted, and is not held against anything again.
        using var later = new Bench(TwoBlocks(seed: 1), folder.Path, compare: Compare);
        Check(later.Timer.Measure(later.Partition.Subgraphs[0], six, CancellationToken.None));
        Assert.Equal(comparisons, made);

        void Check(IReadOnlyList<ConfigurationTiming> timings) => Assert.Equal(
            [first, first, first, first, second, second], timings.Select(t => Assert.Single(t.Timings)).Select(t => Math.Abs(t.Gain - (t.OriginalMilliseconds / 10)) < 1e-9 ? t.OriginalMilliseconds : 0));

        Comparison Compare(IReadOnlyList<Contender> contenders)
        {
            double original = originals[made++];
            IReadOnlyList<double> round = [original, .. contenders.Skip(1).Select(_ => original * 0.9)];
            return new Comparison([round, round, round, round, round, round], 0.95, 0.95, 0.01);
        }
    }

    /// <summary>A configuration that is asked for later is held against what was seen before.</summary>
    [Fact]
    public void WhatCameBeforeTellsADisturbance()
    {
        var originals = new Queue<double>([1, 1.5, 1]);
        using var bench = new Bench(TwoBlocks(seed: 1), folder.Path, compare: contenders =>
        {
            double original = originals.Dequeue();
            IReadOnlyList<double> round = [original, original / 2];
            return new Comparison([round, round, round, round, round, round], 0.95, 0.95, 0.01);
        });
        foreach (string format in new[] { FormatTexts.Int8Dynamic, FormatTexts.Int8Weight })
        {
            Assert.Equal(1, bench.Timer.Measure(bench.Partition.Subgraphs[0], Configuration.Exported([format]), CancellationToken.None).Timings[0].OriginalMilliseconds);
        }

        Assert.Empty(originals);
    }
}
