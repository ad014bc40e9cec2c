using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Verification;

public class VerifierTests
{
    /// <summary>A loss whose values are known: the first class's score.</summary>
    private static LossComparison FirstScore(Sample sample, int number, IReadOnlyDictionary<string, Tensor> from, IReadOnlyDictionary<string, Tensor> to)
    {
        double g = from["logits"].Values<float>()[0], change = to["logits"].Values<float>()[0] - g;
        long Hits(Tensor scores) => System.Numerics.Tensors.TensorPrimitives.IndexOfMax(scores.Values<float>()) == sample.Label?.Values<long>()[0] ? 1 : 0;
        return new LossComparison(g * g, change * change, g, change, sample.Label?.Count ?? 0, Hits(from["logits"]), Hits(to["logits"]));
    }

    [Fact]
    public void TheChangeOfTheLossIsThatOfTheTwoFiles()
    {
        using var emitted = new EmittedModel("int4-weight", "int4-weight");
        Sample[] samples = [.. Samples(24)];
        LossChange change = Measure(emitted, samples);

        using Session original = Session.Open(emitted.Original, SessionSettings.Default);
        using Session mixed = Session.Open(emitted.Mixed, SessionSettings.Default);
        (double From, double To)[] losses = [.. samples.Select(s =>
            ((double)original.Run(s.Inputs)["logits"].Values<float>()[0], (double)mixed.Run(s.Inputs)["logits"].Values<float>()[0]))];
        Assert.Equal(24, change.Samples);
        Assert.Equal(losses.Average(l => Math.Pow(l.To - l.From, 2)), change.LossMse, 9);
        Assert.Equal(losses.Average(l => l.From * l.From), change.MeanSquareLoss, 9);
        Assert.Equal(losses.Average(l => l.From), change.MeanLoss, 9);
        Assert.Equal(losses.Average(l => l.To - l.From), change.MeanLossChange, 9);
        Assert.Equal(Math.Sqrt(change.LossMse / change.MeanSquareLoss), change.RelativeLossError, 12);
        Assert.True(change.LossMse > 0);
    }

    [Fact]
    public void AnUnchangedModelHasNoError()
    {
        using var emitted = new EmittedModel("fp32", "fp32");
        LossChange change = Measure(emitted, [.. Samples(4)]);
        Assert.Equal((0, 0, 0), (change.LossMse, change.RelativeLossError, change.MeanLossChange));
        Assert.Equal(change.Accuracy!.Original, change.Accuracy.Mixed);
    }

    [Fact]
    public void AccuracyIsTheShareOfLabelsThatTheLargestScoreHits()
    {
        using var emitted = new EmittedModel("int4-weight", "int4-weight");
        using Session original = Session.Open(emitted.Original, SessionSettings.Default);
        // Three of four labels are what the original says.
        Sample[] samples = [.. Samples(40).Select((s, i) =>
        {
            int best = System.Numerics.Tensors.TensorPrimitives.IndexOfMax(original.Run(s.Inputs)["logits"].Values<float>());
            return s with { Label = Tensor.Of<long>([(best + (i % 4 == 0 ? 1 : 0)) % EmittedModel.Classes], 1) };
        })];
        AccuracyChange accuracy = Measure(emitted, samples).Accuracy!;
        Assert.Equal(0.75, accuracy.Original);
        Assert.InRange(accuracy.Mixed, 0.3, 0.85);
    }

    [Fact]
    public void WithoutLabelsThereIsNoAccuracy()
    {
        using var emitted = new EmittedModel("int8-weight", "fp32");
        Assert.Null(Measure(emitted, [.. Samples(3).Select((s, i) => i == 2 ? s with { Label = null } : s)]).Accuracy);
    }

    [Fact]
    public void ALossThatIsNoNumberIsBeyondEveryBudget()
    {
        using var emitted = new EmittedModel("int8-weight", "fp32");
        LossChange change = new Verifier(emitted.Original, emitted.Mixed, SessionSettings.Timing(1)).MeasureLoss(
            ["logits"], [.. Samples(2)], (_, _, _, _) => new LossComparison(1, double.NaN, 1, double.NaN), _ => { }, CancellationToken.None);
        Assert.Equal(double.PositiveInfinity, change.RelativeLossError);
    }

    [Fact]
    public void SamplesOnWhichTheOriginalsLossIsNoNumberAreLeftOut()
    {
        using var emitted = new EmittedModel("int8-weight", "fp32");
        LossComparison Compare(int number) => number == 1 ? new(double.NaN, double.NaN, double.NaN, double.NaN, 1) : new(4, 1, 2, 1, 1, 1, 0);
        LossChange change = new Verifier(emitted.Original, emitted.Mixed, SessionSettings.Timing(1)).MeasureLoss(["logits"], [.. Samples(3)], (_, n, _, _) => Compare(n), _ => { }, CancellationToken.None);
        Assert.Equal((2, 1, 4, 0.5, 2), (change.Samples, change.LossMse, change.MeanSquareLoss, change.RelativeLossError, change.Labels));
        Diagnostic warning = Assert.Single(change.Warnings);
        Assert.Equal((Codes.LossNotFinite, Severity.Warning, Samples(2).Last().Place), (warning.Code, warning.Severity, warning.Place));
        Assert.Contains("1 of 3 samples", warning.Message, StringComparison.Ordinal);

        Diagnostic error = Assert.Throws<MixedPrecisionException>(() => new Verifier(emitted.Original, emitted.Mixed, SessionSettings.Timing(1)).MeasureLoss(
            ["logits"], [.. Samples(2)], (_, _, _, _) => Compare(1), _ => { }, CancellationToken.None)).Diagnostic;
        Assert.Equal((Codes.LossNotFinite, Severity.Error), (error.Code, error.Severity));
    }

    [Fact]
    public void LabelsBesideTheLossThatDoNotFitAreWarnedOf()
    {
        using var emitted = new EmittedModel("int8-weight", "fp32");
        var misfit = new Diagnostic(Codes.LabelsDoNotFit, Severity.Error, new Place("data.jsonl", 2), "found 3 labels, expected 1.");
        LossChange change = new Verifier(emitted.Original, emitted.Mixed, SessionSettings.Timing(1)).MeasureLoss(
            ["logits"], [.. Samples(3)], (_, n, _, _) => new LossComparison(4, 1, 2, 1, n == 0 ? 1 : 0, 1, 0, n == 0 ? null : misfit), _ => { }, CancellationToken.None);
        Assert.Null(change.Accuracy);
        Diagnostic warning = Assert.Single(change.Warnings);
        Assert.Equal((Codes.LabelsDoNotFit, Severity.Warning, misfit.Place), (warning.Code, warning.Severity, warning.Place));
        Assert.Contains("2 of 3 samples", warning.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEmittedModelThatDoesNotLoadIsAnError()
    {
        using var emitted = new EmittedModel("fp32", "fp32");
        File.WriteAllBytes(emitted.Mixed, [1, 2, 3]);
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => Measure(emitted, [.. Samples(1)])).Diagnostic;
        Assert.Equal(Codes.EmittedModelDoesNotRun, diagnostic.Code);
        Assert.Equal("model.mixed.onnx", diagnostic.Place.File);
    }

    private static LossChange Measure(EmittedModel emitted, IReadOnlyList<Sample> samples) =>
        new Verifier(emitted.Original, emitted.Mixed, SessionSettings.Timing(0)).MeasureLoss(["logits"], samples, FirstScore, _ => { }, CancellationToken.None);

    private static IEnumerable<Sample> Samples(int count)
    {
        var random = new Random(4);
        for (int i = 0; i < count; i++)
        {
            float[] x = [.. Enumerable.Range(0, EmittedModel.Inputs).Select(_ => (random.NextSingle() * 2) - 1)];
            yield return new Sample($"sample {i}", new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(x, 1, EmittedModel.Inputs) }, Tensor.Of<long>([i % EmittedModel.Classes], 1));
        }
    }
}
