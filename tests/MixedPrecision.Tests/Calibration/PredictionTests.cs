using MixedPrecision.Benchmarks;
using MixedPrecision.Calibration;
using MixedPrecision.Formats;
using MixedPrecision.Policies;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Properties of the sensitivities of real models.</summary>
public class PredictionTests
{
    private const int Samples = 32;

    [Fact]
    public void FewerBitsAddMoreLossAndTheEstimatorsAgreeInScale()
    {
        using var fixture = new CalibrationFixture(
            SharedFolder.Model("docarea"),
            SharedFolder.Path("models", "docarea", "calibration.jsonl"),
            new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 16, null),
            samples: 16);
        Sensitivities found = fixture.Calibrate(["fp32", "int8-dynamic", "int8-dynamic(products)", "int8-weight", "int4-weight"]);
        Assert.Equal(fixture.Partition.Layers.Select(l => l.Name), found.Layers.Select(l => l.Name));
        Assert.All(found.Layers, l => Assert.True(l.Reachable));
        Assert.All(found.Layers.SelectMany(l => l.Formats.Values), f => Assert.Equal(16, f.Deltas.Length));
        Assert.All(found.Layers.SelectMany(l => l.Formats.Values), f => Assert.True(f is { Rise: > 0, Measured: > 0, Taylor: > 0 }));
        double Sum(string format, Func<FormatSensitivity, double> of) => found.Layers.Where(l => l.Formats.ContainsKey(format)).Sum(l => of(l.Formats[format]));
        Assert.True(Sum(FormatTexts.Int4Weight, f => f.Measured) > 10 * Sum(FormatTexts.Int8Weight, f => f.Measured));
        Assert.True(Sum(FormatTexts.Int4Weight, f => f.Rise) > 10 * Sum(FormatTexts.Int8Weight, f => f.Rise));
        Assert.InRange(Sum(FormatTexts.Int4Weight, f => f.Taylor) / Sum(FormatTexts.Int4Weight, f => f.Measured), 0.2, 5);
    }

    /// <summary>
    /// P of plans of few bits against the loss MSE of the rewritten models, on samples that calibration has not seen. Beyond a relative error of 3 %
    /// nothing is claimed; int3 stays below that here. The benchmark "prediction" prints the same for all samples and more plans.
    /// </summary>
    [Fact]
    public void TheLossOfPlansIsPredictedOnUnseenSamples()
    {
        NumberFormat[] formats = [NumberFormats.Baseline, .. new[] { 8, 4, 3 }.Select(SimulatedWeights.Format)];
        using var trial = new PredictionTrial(
            SharedFolder.Model("doclm"),
            new CalibrationPolicy(null, LossKind.NextToken, null, Samples, null),
            (SharedFolder.Path("models", "doclm", "calibration.jsonl"), Samples),
            (SharedFolder.Path("models", "doclm", "evaluation.jsonl"), Samples),
            formats,
            threads: 2);
        Func<NumberFormat[], double> predict = trial.Predictor(formats);
        var random = new Random(1);
        NumberFormat[][] plans =
        [
            .. formats.Skip(1).Select(f => trial.Plan(_ => f)),
            .. Enumerable.Range(0, 3).Select(_ => trial.Plan(_ => formats[random.Next(formats.Length)])),
        ];
        double[] ratios = [.. plans.Select(p => predict(p) / trial.Measure(p).Average())];
        Assert.All(ratios, r => Assert.InRange(r, 0.6, 1.6));
        Assert.InRange(ratios.Average(), 0.8, 1.25);

        // The rise is what predicts few bits: without it int3 would be far off.
        Assert.True(trial.FirstOrder(plans[2]).Average() < 0.7 * predict(plans[2]));
    }
}
