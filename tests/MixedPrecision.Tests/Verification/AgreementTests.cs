using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Tests.Formats;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Verification;

public class AgreementTests
{
    public static TheoryData<string> Formats => ["fp32", .. FormatTexts.ForWeights.Select(f => f.Name)];

    [Theory]
    [MemberData(nameof(Formats))]
    public void EmittedModelsAgreeWithThemselves(string format)
    {
        using var emitted = new EmittedModel(format, format);
        AgreementResult result = Measure(emitted, Samples(12));
        Assert.Null(result.NotJudged);
        Assert.Null(result.Problem("model.mixed.onnx"));
        OutputAgreement output = Assert.Single(result.Outputs);
        Assert.Equal(Agreement.MostSamples * EmittedModel.Classes, output.Difference.Elements);
        Assert.Equal(format != "fp32", output.Error.Difference > 1e-4);
        Assert.True(output.Difference.Difference <= output.Error.Difference * 1.5 + 1e-5);
    }

    /// <summary>Layers one behind the other, each rounding at run time what the last one brought: differences grow, and stay below what the tolerance says.</summary>
    [Fact]
    public void RoundingThatFlipsInADeepModelIsWithinTheTolerance()
    {
        using var emitted = new EmittedModel(Deep(), "int8-dynamic");
        AgreementResult result = Measure(emitted, [.. Samples(8, 64)]);
        Assert.Null(result.Problem("model"));
    }

    [Fact]
    public void AnOptimizationThatGoesWrongIsAnErrorThatNamesOutputAndDifference()
    {
        AgreementResult result = Agreement.Judge([Of("fine", 0.002), Of("y", 0.4)], [Of("fine", 1e-6), Of("y", 1e-6)], [Of("fine", 0.01), Of("y", 0.01)], Math.Sqrt(2));
        Diagnostic problem = result.Problem("model.mixed.onnx")!;
        Assert.Equal((Codes.OutputsDisagree, Severity.Error, "y"), (problem.Code, problem.Severity, problem.Place.Tensor));
        Assert.Contains("output 'y' differs by 40.000", problem.Message.Replace(" %", "%", StringComparison.Ordinal));
        Assert.True(result.Outputs[0].Agrees);
    }

    [Fact]
    public void ResultsThatAreNoNumbersWithOptimizationsOnlyAreAnError() =>
        Assert.NotNull(Agreement.Judge([Of("y", double.PositiveInfinity)], [Of("y", 0)], [Of("y", 0.01)], Math.Sqrt(2)).Problem("model"));

    /// <summary>What the original does by itself is not the plan's fault.</summary>
    [Fact]
    public void AnOriginalThatDiffersByItselfIsNotBlamedOnThePlan() => Assert.Null(Agreement.Judge([Of("y", 0.4)], [Of("y", 0.3)], [Of("y", 0.01)], Math.Sqrt(2)).Problem("model"));

    [Fact]
    public void FormatsThatRoundNothingAtRunTimeMayOnlyDifferByArithmetic()
    {
        Assert.NotNull(Agreement.Judge([Of("y", 0.005)], [Of("y", 0)], [Of("y", 0.01)], 0).Problem("model"));
        Assert.Null(Agreement.Judge([Of("y", 5e-6)], [Of("y", 0)], [Of("y", 0.01)], 0).Problem("model"));
    }

    [Fact]
    public void IndicesAreNotJudged() => Assert.Null(Agreement.Judge([Of("classes", 0.5) with { IsFloating = false }], [Of("classes", 0)], [Of("classes", 0)], 1).Problem("model"));

    [Fact]
    public void AnEmittedModelThatDoesNotRunIsAnError()
    {
        using var emitted = new EmittedModel("fp32", "fp32");
        File.WriteAllBytes(emitted.Mixed, [1, 2, 3]);
        Assert.Equal(Codes.EmittedModelDoesNotRun, Assert.Throws<MixedPrecisionException>(() => Measure(emitted, Samples(1))).Diagnostic.Code);
    }

    /// <summary>A detector that keeps the values over a threshold: what changes its size is said, and the rest compared.</summary>
    [Fact]
    public void OutputsThatChangeTheirSizeAreSaidAndTheOthersCompared()
    {
        using var emitted = new EmittedModel(SizeModels.Detector(), "int4-weight");
        IReadOnlyList<OutputDifference> differences = OutputDifferences.Between(
            (emitted.Original, SessionSettings.Default), (emitted.Mixed, SessionSettings.Default), SizeModels.Samples(20), TestContext.Current.CancellationToken);
        OutputDifference scores = differences.Single(d => d.Output == "scores"), kept = differences.Single(d => d.Output == "kept");
        Assert.Null(scores.NotCompared);
        Assert.InRange(scores.Difference, 1e-4, 0.3);
        Assert.Matches(@"^float \[\d+\] against float \[\d+\] in sample \d+$", kept.NotCompared);
        Assert.True(kept.Elements < scores.Elements);
        AgreementResult result = Measure(emitted, SizeModels.Samples(20));
        Assert.Null(result.Problem("model"));
        Assert.Contains("output 'kept' changes its size with rounding", Assert.Single(result.Notes));
    }

    private static OutputDifference Of(string output, double difference) => new(output, true, difference, 1000, null);

    private static AgreementResult Measure(EmittedModel emitted, IReadOnlyList<Sample> samples) => Agreement.Measure(
        emitted.Original, emitted.Mixed, emitted.Plan.Select(p => p.Format), samples, SessionSettings.Default, TestContext.Current.CancellationToken);

    private static Sample[] Samples(int count, int inputs = EmittedModel.Inputs) =>
        [.. Enumerable.Range(0, count).Select(i => new Sample($"sample {i}", new Dictionary<string, Tensor> { ["x"] = LayerModels.Random(i, 1, inputs) }, null))];

    private static ModelProto Deep() => LayerModels.Model(
        [("x", [1, 64])],
        b =>
        {
            string value = "x";
            for (int layer = 0; layer < 12; layer++)
            {
                // Gelu written out, which the runtime fuses into an operator that rounds otherwise.
                string product = b.MatMul(value, b.Constant(LayerModels.Random(40 + layer, 64, 64)));
                string half = b.Mul(product, b.Add(b.Node("Erf", [b.Node("Div", [product, b.Scalar(Math.Sqrt(2))])]), b.Scalar(1)));
                value = b.Mul(half, b.Scalar(0.1));
            }

            b.NodeTo(["y"], "Identity", "", [value]);
        });
}
