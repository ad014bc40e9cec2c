using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Calibration;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Calibration;

/// <summary>An LSTM is judged as a whole: what it gives in integers over all its results, against the gradient of each.</summary>
public sealed class RecurrentSensitivityTests : IDisposable
{
    private const int Samples = 12;
    private readonly TemporaryFolder folder = new();

    [Fact]
    public void TheChangeOfTheLossIsPredictedForEachSample()
    {
        using CalibrationFixture fixture = Fixture();
        FormatSensitivity found = Lstm(fixture.Calibrate(["fp32", FormatTexts.Native]));
        double[] measured = Measured(fixture);
        Assert.InRange(Math.Sqrt(found.Deltas.Zip(measured, (d, m) => (d - m) * (d - m)).Sum() / measured.Sum(m => m * m)), 0, 0.1);
        Assert.InRange(found.Measured / measured.Average(m => m * m), 0.8, 1.25);
        Assert.InRange(found.Taylor / found.Measured, 0.1, 10);
        Assert.True(found.Rise > 0);
    }

    [Theory]
    [InlineData(0L, 1L << 30)]
    [InlineData(0L, 0L)]
    [InlineData(256L << 20, 0L)]
    public void SegmentsAndWhatIsComputedAgainDoNotCount(long wholeModel, long keptValues)
    {
        using CalibrationFixture fixture = Fixture();
        FormatSensitivity expected = Lstm(fixture.Calibrate(["fp32", FormatTexts.Native])), found = Lstm(fixture.Calibrate(["fp32", FormatTexts.Native], new CalibrationMemory(WholeModel: wholeModel, KeptValues: keptValues)));
        double size = Math.Sqrt(expected.Measured);
        Assert.All(expected.Deltas.Zip(found.Deltas), d => Assert.Equal(d.First, d.Second, size * 0.01));
        Assert.Equal(expected.Taylor, found.Taylor, expected.Taylor * 1e-4);
    }

    public void Dispose() => folder.Dispose();

    private static FormatSensitivity Lstm(Sensitivities found) => found.Layers.Single(l => l.Name == RecurrentClassifier.Layer).Formats[FormatTexts.Native];

    private static double[] Measured(CalibrationFixture fixture)
    {
        Func<string, Tensor> weight = name => Weights.Read(fixture.Model, fixture.Partition.View, name)!;
        ModelProto mixed = fixture.Model.Proto.Clone();
        LayerRewriter.Apply(
            mixed,
            [.. fixture.Partition.Layers.Select(l => (LayerSite.Of(fixture.Model, fixture.Partition.View, fixture.Types, l), NumberFormats.Get(l.Name == RecurrentClassifier.Layer ? FormatTexts.Native : "fp32")))],
            weight);
        SessionSettings settings = SessionSettings.Default with { Threads = 1 };
        using Session original = Session.Create(fixture.Model.Proto, settings), emitted = Session.Create(mixed, settings);
        return [.. fixture.Samples.Select((sample, number) =>
        {
            IReadOnlyDictionary<string, Tensor> before = original.Run(sample.Inputs);
            LossTarget target = fixture.Loss.TargetOf(sample, number, before);
            return fixture.Loss.Value(emitted.Run(sample.Inputs), target) - fixture.Loss.Value(before, target);
        })];
    }

    private CalibrationFixture Fixture()
    {
        File.WriteAllBytes(folder.Combine("model.onnx"), RecurrentClassifier.Model().ToByteArray());
        var random = new Random(3);
        File.WriteAllLines(folder.Combine("data.jsonl"), Enumerable.Range(0, Samples).Select(_ => string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"x": [[{{string.Join(',', Enumerable.Range(0, 64).Select(_ => ((random.NextDouble() * 2) - 1).ToString("0.000", CultureInfo.InvariantCulture)))}}]], "label": [{{random.Next(4)}}]}""")));
        return new CalibrationFixture(folder.Combine("model.onnx"), folder.Combine("data.jsonl"), new CalibrationPolicy(null, LossKind.CrossEntropy, "label", Samples, null));
    }
}
