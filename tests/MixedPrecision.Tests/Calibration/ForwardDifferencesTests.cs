using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;
using MixedPrecision.Tests.Pipeline;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Layers behind an operator without a gradient rule.</summary>
public class ForwardDifferencesTests
{
    [Fact]
    public void LayersBehindAnOperatorWithoutARuleStayAndTheWarningNamesIt()
    {
        using var folder = new PipelineFolder();
        folder.WriteModel(weightSeed: 3, hasUnique: true);
        SolveReport report = Verbs.Solve(folder.PolicyFile, folder.Options());
        Diagnostic warning = Assert.Single(folder.Warnings, w => w.Code == Codes.LayersNotReached);
        Assert.Contains("com.microsoft.Unique ('unique'): there is no gradient rule for it; 2 layers lie behind it", warning.Message, StringComparison.Ordinal);
        Assert.NotNull(report);
    }

    [Fact]
    public void ThePolicyLetsThemBeJudgedByRunningTheModel()
    {
        using var folder = new PipelineFolder();
        folder.WriteModel(weightSeed: 3, hasUnique: true);
        folder.WritePolicy("20%", "objective: memory");
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace("samples: 12", "samples: 12, unreached: forward", StringComparison.Ordinal));
        CalibrateReport report = Verbs.Calibrate(folder.PolicyFile, folder.Options());
        Assert.All(report.Layers, l => Assert.All(l.Formats.Values, f => Assert.True(f.Measured > 0)));
        QuantizeResult result = folder.Quantize();
        Assert.DoesNotContain(folder.Warnings, w => w.Code == Codes.LayersNotReached);
        using OnnxModel emitted = OnnxModel.Load(result.Files.First(f => f.EndsWith(".onnx", StringComparison.Ordinal)));
        Assert.Contains(emitted.Graph.Node, n => n.OpType == "Unique");
    }
}
