using MixedPrecision.Calibration;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Whether a model is calibrated whole, sub-graph by sub-graph, in tiles or after a stop: the result is the same. Nothing of it is a matter of size, so that a small decoder does; one way is gone with a real one too.</summary>
public sealed class MemoryTests(MemoryTests.Whole small) : IClassFixture<MemoryTests.Whole>
{
    private const double Flips = 0.1;
    private static readonly string[] Formats = ["fp32", "int8-dynamic", "int8-dynamic(products)", "int8-weight", "int4-weight", "bf16", "fp8-e4m3"];

    /// <summary>Weights of the feed-forward layers and of the output are taken in tiles, of which they have several.</summary>
    private static readonly CalibrationMemory Tiles = new(WholeModel: 0, Weight: 20_000, GradientTile: 10_000);

    public static TheoryData<string, CalibrationMemory> Ways => new()
    {
        { "sub-graph by sub-graph", new CalibrationMemory(WholeModel: 0) },
        { "computed twice", new CalibrationMemory(WholeModel: 0, KeptValues: 0) },
        { "whole, computed twice", new CalibrationMemory(KeptValues: 0) },
        { "one sample at a time", new CalibrationMemory(WholeModel: 0, Group: 0) },
        { "in tiles", Tiles },
    };

    [Theory]
    [MemberData(nameof(Ways))]
    public void TheResultIsThatOfTheWholeModel(string way, CalibrationMemory memory)
    {
        Assert.NotEmpty(way);
        Same(small.Result, small.Fixture.Calibrate(Formats, memory), 1e-4);
    }

    [Fact]
    public void SoItIsOfARealModel()
    {
        using var fixture = new CalibrationFixture(
            SharedFolder.Model("doclm"),
            SharedFolder.Path("models", "doclm", "calibration.jsonl"),
            new CalibrationPolicy(null, LossKind.NextToken, null, 3, null),
            samples: 3);
        string[] formats = ["fp32", "int8-dynamic", "int4-weight"];
        Same(fixture.Calibrate(formats), fixture.Calibrate(formats, new CalibrationMemory(WholeModel: 0, KeptValues: 0)), 1e-4);
    }

    /// <summary>Without a format that needs sums by column or block, tiles still have to meet their own columns of the weight.</summary>
    [Fact]
    public void TilesGiveTheSameWhenOnlyTheBaselineIsJudged()
    {
        CalibrationFixture fixture = small.Fixture;
        Same(fixture.Calibrate(["fp32"]), fixture.Calibrate(["fp32"], Tiles), 1e-4);
    }

    [Fact]
    public void AStoppedCalibrationGoesOnWhereItStopped()
    {
        CalibrationFixture fixture = small.Fixture;
        CalibrationProgress? stopped = null;
        using var cancel = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => fixture.Calibrate(
            Formats,
            new CalibrationMemory(Group: 0),
            save: progress =>
            {
                if (progress.Samples == 3)
                {
                    stopped = Copy(progress);
                    cancel.Cancel();
                }
            },
            cancel: cancel.Token));
        var seen = new List<int>();
        Sensitivities resumed = fixture.Calibrate(Formats, new CalibrationMemory(Group: 0), resume: stopped, report: update => seen.Add(update.Sample));
        Assert.Equal(3, seen.Min());
        Same(small.Result, resumed, 1e-6);
        Sensitivities straight = fixture.Calibrate(Formats, new CalibrationMemory(Group: 0));
        Assert.Equal(System.Text.Json.JsonSerializer.Serialize(straight), System.Text.Json.JsonSerializer.Serialize(resumed));
    }

    /// <summary>As the cache keeps it.</summary>
    private static CalibrationProgress Copy(CalibrationProgress progress) =>
        System.Text.Json.JsonSerializer.Deserialize<CalibrationProgress>(System.Text.Json.JsonSerializer.Serialize(progress))!;

    private static void Same(Sensitivities expected, Sensitivities actual, double tolerance)
    {
        Near(expected.MeanSquareLoss, actual.MeanSquareLoss, tolerance, "E[g²]");
        foreach ((LayerSensitivity one, LayerSensitivity other) in expected.Layers.Zip(actual.Layers))
        {
            Near(one.TaylorActivation, other.TaylorActivation, tolerance, one.Name);
            Near(one.TaylorWeight, other.TaylorWeight, tolerance, one.Name);
            Assert.Equal(one.Formats.Keys.Order(), other.Formats.Keys.Order());
            foreach ((string format, FormatSensitivity sensitivity) in one.Formats)
            {
                Near(sensitivity.Taylor, other.Formats[format].Taylor, tolerance, $"{one.Name} {format} taylor");

                // An activation that falls to the other side of a rounding moves these.
                Near(sensitivity.Measured, other.Formats[format].Measured, Flips, $"{one.Name} {format} measured");
                Near(sensitivity.Rise, other.Formats[format].Rise, Flips, $"{one.Name} {format} rise");
            }
        }
    }

    /// <summary>Rises of formats that hardly change a loss of about 1 are nothing but rounding.</summary>
    private const double Least = 1e-8;

    private static void Near(double expected, double actual, double tolerance, string what) =>
        Assert.True(Math.Abs(expected - actual) <= (tolerance * Math.Abs(expected)) + Least, $"{what}: {actual} where the whole model gave {expected}");

    /// <summary>A decoder, and what the whole of it gives.</summary>
    public sealed class Whole : IDisposable
    {
        private readonly TemporaryFolder folder = new();

        public Whole()
        {
            Fixture = DecoderTests.Write(folder.Path, blocks: 2, isTied: false);
            Result = Fixture.Calibrate(Formats);
        }

        internal CalibrationFixture Fixture { get; }

        internal Sensitivities Result { get; }

        public void Dispose()
        {
            Fixture.Dispose();
            folder.Dispose();
        }
    }
}
