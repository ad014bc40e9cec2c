using MixedPrecision.Data;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using static MixedPrecision.Tests.Losses.LossGradientTests;
using static MixedPrecision.Tests.Losses.LossModels;

namespace MixedPrecision.Tests.Losses;

/// <summary>How outputs are read whose graph does not end in an operator that tells.</summary>
public class ObservedScoresTests
{
    private static readonly CalibrationPolicy CrossEntropy = new(null, LossKind.CrossEntropy, "label", 1, null);
    private static readonly Dictionary<string, string[]> Rows = new() { ["y"] = ["batch", "5"] };

    [Fact]
    public void ProbabilitiesByWrittenOutOperatorsAreNotTakenForScores()
    {
        using OnnxModel model = Of(Rows, WrittenOut);
        using LossFunction loss = Loss(model, CrossEntropy);
        using OnnxModel plain = Of(Rows);
        using LossFunction ofLogits = Loss(plain, CrossEntropy);
        loss.Observe(model, [.. Enumerable.Range(1, 6).Select(i => Inputs(Random(i, 3, 5)))], TestContext.Current.CancellationToken);
        Tensor y = Random(9, 3, 5);
        Sample sample = Sample(Label(4, 2, 0));
        Assert.Equal(Check(ofLogits, sample, ("y", y)).Value, Check(loss, sample, ("y", Map(y, Softmax))).Value, 5);
        Assert.Contains("sum to 1 on all 6 samples", Assert.Single(loss.Notes));
    }

    [Fact]
    public void ScoresStayScoresAndThatIsSaid()
    {
        using OnnxModel model = Of(Rows);
        using LossFunction loss = Loss(model, CrossEntropy);
        Tensor y = Random(1, 2, 5);
        Sample sample = Sample(Label(1, 3));
        double before = Check(loss, sample, ("y", y)).Value;
        loss.Observe(model, [Inputs(y)], TestContext.Current.CancellationToken);
        Assert.Equal(before, Check(loss, sample, ("y", y)).Value);
        Assert.Contains("taken as scores", Assert.Single(loss.Notes));
    }

    [Theory]
    [InlineData(-0.1f, 1.1f)]
    [InlineData(0.7f, 0.2f)]
    [InlineData(float.NaN, 0.5f)]
    public void OneRowOfOneSampleThatIsNoDistributionSuffices(float first, float second)
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "2"] });
        using LossFunction loss = Loss(model, CrossEntropy);
        loss.Observe(model, [Inputs(Tensor.Of<float>([0.5f, 0.5f], 1, 2)), Inputs(Tensor.Of<float>([1, 0, first, second], 2, 2))], TestContext.Current.CancellationToken);
        Assert.Contains("taken as scores", Assert.Single(loss.Notes));
    }

    [Fact]
    public void ClassesMayLieAlongTheSecondAxis()
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "3", "width"] }, (b, x) => Normalized(b, x, 1));
        using LossFunction loss = Loss(model, CrossEntropy with { Labels = null });
        loss.Observe(model, [Inputs(Random(1, 1, 3, 4)), Inputs(Random(2, 1, 3, 7))], TestContext.Current.CancellationToken);
        Tensor p = Tensor.Of<float>([0.2f, 0.7f, 0.5f, 0.2f, 0.3f, 0.1f], 1, 3, 2);
        Assert.Equal(-(Math.Log(0.5) + Math.Log(0.7)) / 2, Check(loss, Sample(), ("y", p)).Value, 5);
    }

    [Fact]
    public void RoundingToHalfPrecisionIsNoReasonAgainst()
    {
        var random = new Random(3);
        double[] exponentials = [.. Enumerable.Range(0, 30_000).Select(_ => Math.Exp(random.NextDouble() * 12))];
        double sum = exponentials.Sum();
        Half[] halves = [.. exponentials.Select(e => (Half)(e / sum))];
        Assert.Equal([1], ObservedScores.Axes(Tensor.Of<Half>(halves, 1, halves.Length)));
        // What lies near 1 by chance, scores do not.
        Assert.Empty(ObservedScores.Axes(Tensor.Of<Half>([.. halves.Select(h => (Half)((float)h * 1.05f))], 1, halves.Length)));
    }

    [Fact]
    public void AProductWithAWeightOfBothSignsNeedsNoRun()
    {
        using OnnxModel model = Of(Rows, (b, x) => b.Add(b.MatMul(x, b.Constant(Random(4, 5, 5), "w")), b.Constant(Random(5, 5), "bias")));
        Assert.True(ObservedScores.IsLinear(model, "y"));
        using OnnxModel positive = Of(Rows, (b, x) => b.MatMul(x, b.Constant(Tensor.Of<float>([.. Enumerable.Repeat(0.2f, 25)], 5, 5), "w")));
        Assert.False(ObservedScores.IsLinear(positive, "y"));
        using OnnxModel written = Of(Rows, WrittenOut);
        Assert.False(ObservedScores.IsLinear(written, "y"));
    }

    private static string WrittenOut(GraphBuilder b, string x) => Normalized(b, x, -1);

    private static string Normalized(GraphBuilder b, string x, int axis)
    {
        string exponentials = b.Node("Exp", [x]);
        return b.Node("Div", [exponentials, b.Node("ReduceSum", [exponentials, b.Integers(axis)], Attributes.Of("keepdims", 1))]);
    }

    private static Sample Inputs(Tensor y) => Sample(null, new Dictionary<string, Tensor> { ["y.in"] = y });
}
