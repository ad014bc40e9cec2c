using MixedPrecision.Diagnostics;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Tests.Verification;
using static MixedPrecision.Tests.Losses.LossModels;

namespace MixedPrecision.Tests.Losses;

/// <summary>Outputs that have another size after rounding: a detector whose scores pass a threshold or not.</summary>
public class OutputSizeTests
{
    public static TheoryData<string> Kinds => ["output-mse", "scalar-output", "cross-entropy"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void ALossWhoseOutputChangesItsSizeIsAnErrorThatNamesIt(string kind)
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["kept"] = kind == "scalar-output" ? ["n"] : ["n", "5"] });
        LossKind loss = kind switch { "output-mse" => LossKind.OutputMse, "scalar-output" => LossKind.ScalarOutput, _ => LossKind.CrossEntropy };
        using LossFunction function = Loss(model, Policy(new LossPolicy(loss, PolicyPlace)));
        (Tensor from, Tensor to) = kind == "scalar-output" ? (Random(1, 1), Random(1, 0)) : (Random(1, 4, 5), Random(1, 3, 5));
        LossTarget target = function.TargetOf(Sample(), 0, Outputs(from));
        foreach (Action act in new Action[] { () => function.Compare(Outputs(from), Outputs(to), target), () => function.Value(Outputs(to), target) })
        {
            Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(act).Diagnostic;
            Assert.Equal((Codes.LossOutputChangesSize, "kept", "data.jsonl", 3), (diagnostic.Code, diagnostic.Place.Tensor, diagnostic.Place.File, diagnostic.Place.Line));
            Assert.Contains("calibration.output", diagnostic.Message);
            Assert.Contains($"[{string.Join(", ", from.Shape)}] from the original and [{string.Join(", ", to.Shape)}]", diagnostic.Message);
        }
    }

    /// <summary>Through the two files: the scores can be compared, what is kept of them cannot.</summary>
    [Fact]
    public void VerificationComparesTheOutputOfFixedSize()
    {
        using var emitted = new EmittedModel(SizeModels.Detector(), "int4-weight");
        Assert.Equal(Codes.LossOutputChangesSize, Assert.Throws<MixedPrecisionException>(() => Measure(emitted, "kept")).Diagnostic.Code);
        Assert.InRange(Measure(emitted, "scores").RelativeLossError, 1e-4, 0.3);
    }

    private static MixedPrecision.Verification.LossChange Measure(EmittedModel emitted, string output)
    {
        using LossFunction loss = Loss(emitted.Model, Policy(new LossPolicy(LossKind.OutputMse, PolicyPlace, output)));
        return new MixedPrecision.Verification.Verifier(emitted.Original, emitted.Mixed, MixedPrecision.Execution.SessionSettings.Timing(1)).MeasureLoss(
            loss.Outputs,
            SizeModels.Samples(20),
            (sample, number, from, to) => loss.Compare(from, to, loss.TargetOf(sample, number, from)),
            _ => { },
            TestContext.Current.CancellationToken);
    }

    private static Dictionary<string, Tensor> Outputs(Tensor kept) => new() { ["kept"] = kept };
}
