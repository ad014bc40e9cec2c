using MixedPrecision.Benchmarks;
using MixedPrecision.Calibration;
using MixedPrecision.Formats;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Calibration;

/// <summary>The decoder that the benchmark of large models writes, scaled down.</summary>
public sealed class DecoderTests : IDisposable
{
    private static readonly string[] Formats = ["fp32", "int8-dynamic", "int8-dynamic(products)", "int8-weight", "int4-weight"];
    private readonly string folder = Directory.CreateTempSubdirectory("mixed-precision").FullName;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SubgraphBySubgraphWithWeightsOnDiskGivesWhatTheWholeModelGives(bool isTied)
    {
        using CalibrationFixture fixture = Write(folder, blocks: 2, isTied);
        Sensitivities whole = fixture.Calibrate(Formats);
        Sensitivities parts = fixture.Calibrate(Formats, new CalibrationMemory(WholeModel: 0, KeptValues: 0, Group: 0, Weight: 20_000, GradientTile: 10_000));
        Assert.All(whole.Layers, l => Assert.True(l.Reachable));
        foreach ((LayerSensitivity one, LayerSensitivity other) in whole.Layers.Zip(parts.Layers))
        {
            Assert.InRange(other.TaylorActivation / one.TaylorActivation, 0.999, 1.001);
            Assert.InRange(other.TaylorWeight / one.TaylorWeight, 0.999, 1.001);
            Assert.Equal(one.Formats.Keys.Order(), other.Formats.Keys.Order());
            Assert.All(one.Formats, f => Assert.InRange(other.Formats[f.Key].Taylor / f.Value.Taylor, 0.999, 1.001));
            Assert.All(one.Formats, f => Assert.InRange(other.Formats[f.Key].Measured / f.Value.Measured, 0.8, 1.25));
        }
    }

    [Fact]
    public void EqualBlocksShareTheirPrograms()
    {
        using CalibrationFixture fixture = Write(folder, blocks: 6, isTied: true);
        var sites = fixture.Partition.Layers.ToDictionary(
            l => l.Name, l => LayerSite.Of(fixture.Model, fixture.Partition.View, fixture.Types, l));
        var request = new CalibrationRequest(fixture.Model, fixture.Partition, fixture.Types, sites, [.. Formats.Select(NumberFormats.Get)], fixture.Loss, fixture.Samples, Threads: 1);
        HashSet<string> operands = [.. fixture.Partition.Layers.Select(l => l.Input)];
        using var programs = new SegmentPrograms(request, fixture.Types, new GradientValues(operands, operands, new HashSet<string>(), new HashSet<string>()), keepsLayerValues: true);
        IReadOnlyList<Segment> segments = Segment.Of(fixture.Partition, sites, isSmall: false);
        SegmentProgram[] made = [.. segments.Select(s => programs.Get(s).Program)];
        Assert.True(segments.Count >= 6 * 4, $"{segments.Count} segments");
        Assert.True(made.Distinct().Count() <= 8, $"{made.Distinct().Count()} programs for {segments.Count} segments");
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    internal static CalibrationFixture Write(string folder, int blocks, bool isTied)
    {
        DecoderModel.Write(new DecoderShape(blocks, Width: 64, Heads: 4, KeyHeads: 2, HeadSize: 16, FeedForward: 160, Vocabulary: 300, isTied), folder);
        string data = Path.Combine(folder, "calibration.jsonl");
        var random = new Random(1);
        File.WriteAllLines(data, Enumerable.Range(0, 4).Select(i => $"{{\"input_ids\": [[{string.Join(",", Enumerable.Range(0, 9 + i).Select(_ => random.Next(300)))}]]}}"));
        return new CalibrationFixture(Path.Combine(folder, "model.onnx"), data, new CalibrationPolicy(null, LossKind.NextToken, null, 4, null));
    }
}
