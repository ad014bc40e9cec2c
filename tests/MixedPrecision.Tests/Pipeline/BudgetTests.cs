using MixedPrecision.Diagnostics;
using MixedPrecision.Reporting;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Budgets in the words of users, met on the emitted file.</summary>
public class BudgetTests
{
    [Theory]
    [InlineData("{ lossIncrease: 0.02% }")]
    [InlineData("{ lossIncrease: 5% }")]
    [InlineData("{ accuracyDrop: 0 }")]
    [InlineData("{ accuracyDrop: 5% }")]
    public void ABudgetIsMetOnHeldOutSamples(string budget)
    {
        using var folder = new PipelineFolder();
        folder.WriteData("evaluation.jsonl", seed: 3, samples: 200);
        folder.WritePolicy(budget, "objective: memory");
        Manifest manifest = folder.Quantize().Manifest;
        Assert.InRange(manifest.Budget.Measured, double.MinValue, manifest.Budget.Allowed + 1e-9);
        Assert.Contains(budget.Trim('{', '}', ' ').Split(':')[0], manifest.Budget.Text);
        Assert.Equal(
            manifest.Budget.Text.StartsWith("accuracy", StringComparison.Ordinal)
                ? manifest.Measured.Accuracy!.Original - manifest.Measured.Accuracy.Mixed
                : manifest.Budget.Measured,
            manifest.Budget.Measured,
            12);
        Assert.Contains("evaluate started", folder.Log);
        Assert.True(manifest.Predicted.RelativeLossError <= manifest.Budget.SolvedTau);
    }

    /// <summary>A wide budget takes the smallest file there is, and one of nothing less than that.</summary>
    [Fact]
    public void AWiderBudgetGainsMore()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("{ lossIncrease: 100% }", "objective: memory");
        Manifest wide = folder.Quantize().Manifest;
        Assert.All(wide.Subgraphs.SelectMany(s => s.Layers), l => Assert.Equal(FormatTexts.Int4Weight, l.Format));
        folder.WritePolicy("{ lossIncrease: 0.0001% }", "objective: memory");
        Manifest narrow = folder.Quantize().Manifest;
        Assert.True(narrow.Bytes.Mixed > wide.Bytes.Mixed);
        Assert.True(narrow.Budget.SolvedTau < wide.Budget.SolvedTau);
    }

    [Fact]
    public void ASecondRunMeasuresNothing()
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy("{ accuracyDrop: 2% }", "objective: memory");
        string first = folder.Quantize().ToJson();
        Assert.Equal(first, folder.Quantize().ToJson());
        Assert.DoesNotContain(folder.Log, l => l.EndsWith("started", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("{ accuracyDrop: 1% }", "cross-entropy", "needs labels")]
    [InlineData("{ lossIncrease: 1% }", "output-mse", "no mean")]
    public void ABudgetThatCannotBeMeasuredIsRefusedAtOnce(string budget, string loss, string reason)
    {
        using var folder = new PipelineFolder();
        folder.WritePolicy(budget);
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace("loss: cross-entropy, labels: label", $"loss: {loss}", StringComparison.Ordinal));
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => folder.Quantize()).Diagnostic;
        Assert.Equal(Codes.BudgetDoesNotSuit, diagnostic.Code);
        Assert.Contains(reason, diagnostic.Message);
        Assert.Empty(folder.Log);
    }
}
