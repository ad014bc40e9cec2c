using MixedPrecision.Data;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using static MixedPrecision.Tests.Losses.LossModels;

namespace MixedPrecision.Tests.Losses;

/// <summary>Each kind of loss: its value against the definition, its gradient against finite differences of that value.</summary>
public class LossGradientTests
{
    private static readonly Dictionary<string, string[]> Rows = new() { ["y"] = ["batch", "5"] };
    private static readonly Dictionary<string, string[]> Sequence = new() { ["y"] = ["batch", "sequence", "5"] };

    [Fact]
    public void CrossEntropyOfLogits()
    {
        using OnnxModel model = Of(Rows);
        using LossFunction loss = Loss(model, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        Tensor y = Random(1, 3, 5);
        (_, double value) = Check(loss, Sample(Label(4, -100, 0)), ("y", y));
        double[] p = [.. y.Values<float>().ToArray().Chunk(5).SelectMany(Softmax)];
        Assert.Equal((-Math.Log(p[4]) - Math.Log(p[10])) / 2, value, 5);
        Assert.Empty(loss.Notes);
    }

    [Fact]
    public void CrossEntropyOfProbabilitiesAndTheirLogarithms()
    {
        using OnnxModel softmax = Of(Rows, (b, x) => b.Node("Reshape", [b.Node("Softmax", [x]), b.Constant(Tensor.Of<long>([0, -1], 2))]));
        using OnnxModel logarithm = Of(Rows, (b, x) => b.Node("Log", [b.Node("Softmax", [x])]));
        using LossFunction ofProbabilities = Loss(softmax, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        using LossFunction ofLogarithms = Loss(logarithm, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        using OnnxModel plain = Of(Rows);
        using LossFunction ofLogits = Loss(plain, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        Tensor y = Random(2, 3, 5), p = Map(y, Softmax);
        Sample sample = Sample(Label(1, 2, -1));
        (_, double expected) = Check(ofLogits, sample, ("y", y));
        Assert.Equal(expected, Check(ofProbabilities, sample, ("y", p)).Value, 5);
        Assert.Equal(expected, Check(ofLogarithms, sample, ("y", Map(p, r => r.Select(v => Math.Log(v))))).Value, 5);
        Assert.Contains("ends in Softmax", Assert.Single(ofProbabilities.Notes));
        Assert.Contains("logarithms", Assert.Single(ofLogarithms.Notes));
    }

    [Fact]
    public void CrossEntropyOfIndependentLabels()
    {
        using OnnxModel sigmoid = Of(Rows, (b, x) => b.Node("Sigmoid", [x]));
        using OnnxModel plain = Of(Rows);
        using LossFunction ofProbabilities = Loss(sigmoid, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        using LossFunction ofLogits = Loss(plain, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        Tensor y = Random(3, 2, 5), p = Map(y, r => r.Select(v => 1 / (1 + Math.Exp(-v))));
        Sample sample = Sample(Tensor.Of<long>([1, 0, 0, 1, -1, 0, 1, 1, 0, 0], 2, 5));
        (_, double value) = Check(ofLogits, sample, ("y", y));
        Assert.Equal(value, Check(ofProbabilities, sample, ("y", p)).Value, 5);
        double[] likelihoods = [.. p.Values<float>().ToArray().Zip(sample.Label!.Values<long>().ToArray()).Where(t => t.Second >= 0).Select(t => t.Second == 1 ? t.First : 1.0 - t.First)];
        Assert.Equal(-likelihoods.Average(Math.Log), value, 5);
    }

    [Fact]
    public void OneScoreARowIsATruthValue()
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "1"] });
        using LossFunction loss = Loss(model, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        Tensor y = Tensor.Of<float>([0.3f, -1.2f], 2, 1);
        Assert.Equal((Math.Log(1 + Math.Exp(-0.3)) + Math.Log(1 + Math.Exp(-1.2))) / 2, Check(loss, Sample(Label(1, 0)), ("y", y)).Value, 5);
    }

    [Fact]
    public void ClassesMayLieAlongTheSecondAxis()
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "3", "height", "width"] });
        using LossFunction loss = Loss(model, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        Tensor y = Random(4, 2, 3, 2, 4);
        long[] labels = [.. Enumerable.Range(0, 16).Select(i => i == 5 ? -100L : i % 3)];
        (_, double value) = Check(loss, Sample(Tensor.Of<long>(labels, 2, 2, 4)), ("y", y));
        float[] v = y.Values<float>().ToArray();
        double sum = 0;
        foreach (int i in Enumerable.Range(0, 16).Where(i => labels[i] >= 0))
        {
            float[] row = [.. Enumerable.Range(0, 3).Select(c => v[(i / 8 * 24) + (c * 8) + (i % 8)])];
            sum -= Math.Log(Softmax(row).ElementAt((int)labels[i]));
        }

        Assert.Equal(sum / 15, value, 5);
    }

    [Fact]
    public void NextTokenLeavesOutPaddingOnBothSides()
    {
        using OnnxModel model = Of(Sequence, null, ("input_ids", ElementType.Int64, 2), ("attention_mask", ElementType.Int64, 2));
        using LossFunction loss = Loss(model, new CalibrationPolicy(null, LossKind.NextToken, null, 1, null));
        Tensor y = Random(5, 2, 4, 5);
        var inputs = new Dictionary<string, Tensor>
        {
            ["input_ids"] = Tensor.Of<long>([1, 2, 3, 0, 0, 4, 1, 2], 2, 4),
            ["attention_mask"] = Tensor.Of<long>([1, 1, 1, 0, 0, 1, 1, 1], 2, 4),
        };
        (_, double value) = Check(loss, Sample(inputs: inputs), ("y", y));
        double[][] p = [.. y.Values<float>().ToArray().Chunk(5).Select(r => Softmax(r).ToArray())];
        Assert.Equal(-new[] { p[0][2], p[1][3], p[5][1], p[6][2] }.Average(Math.Log), value, 5);
    }

    [Fact]
    public void AMaskOfThePolicyAndALabelToIgnoreLeaveOutPositions()
    {
        using OnnxModel model = Of(Sequence);
        using LossFunction loss = Loss(model, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null) { Mask = "keep", IgnoreLabel = 3 });
        Assert.Equal(["label", "keep"], loss.Fields.Select(f => f.Name));
        Tensor y = Random(6, 1, 4, 5);
        (_, double value) = Check(loss, Sample(Tensor.Of<long>([0, 3, 2, 1], 1, 4), null, ("keep", Tensor.Of<long>([1, 1, 0, 1], 1, 4))), ("y", y));
        double[][] p = [.. y.Values<float>().ToArray().Chunk(5).Select(r => Softmax(r).ToArray())];
        Assert.Equal(-(Math.Log(p[0][0]) + Math.Log(p[3][1])) / 2, value, 5);
    }

    [Fact]
    public void OutputMseIsARandomProjection()
    {
        using OnnxModel model = Of(Rows);
        using LossFunction loss = Loss(model, new CalibrationPolicy(null, LossKind.OutputMse, null, 1, null));
        Tensor y = Random(7, 3, 5);
        double[] squares = [.. Enumerable.Range(0, 4000).Select(n => Math.Pow(loss.Value(Outputs(("y", y)), loss.TargetOf(Sample(), n, Outputs(("y", y)))), 2))];
        double exact = loss.SquareLoss(Outputs(("y", y)), loss.TargetOf(Sample(), 0, Outputs(("y", y))));
        Assert.InRange(squares.Average() / exact, 0.9, 1.1);
        Check(loss, Sample(), ("y", y));
        Assert.False(loss.HasCurvature || loss.HasMean);
    }

    [Fact]
    public void SeveralLossesAddUpByTheirWeights()
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["start"] = ["batch", "4"], ["end"] = ["batch", "4"], ["loss"] = [] });
        using LossFunction loss = Loss(model, Policy(
            new LossPolicy(LossKind.CrossEntropy, PolicyPlace, "start", 0.5, "first"),
            new LossPolicy(LossKind.CrossEntropy, PolicyPlace, "end", 2, "last"),
            new LossPolicy(LossKind.ScalarOutput, PolicyPlace, "loss", 3)));
        Assert.Equal(["start", "end", "loss"], loss.Outputs);
        Assert.Equal("0.5 · cross-entropy(start) + 2 · cross-entropy(end) + 3 · scalar-output(loss)", loss.Name);
        Tensor start = Random(8, 1, 4), end = Random(9, 1, 4), scalar = Tensor.Scalar(0.7f);
        (_, double value) = Check(loss, Sample(null, null, ("first", Label(2)), ("last", Label(0))), ("start", start), ("end", end), ("loss", scalar));
        double Nll(Tensor t, int label) => -Math.Log(Softmax(t.Values<float>().ToArray()).ElementAt(label));
        Assert.Equal((0.5 * Nll(start, 2)) + (2 * Nll(end, 0)) + 2.1, value, 5);
    }

    [Fact]
    public void OneOutputMayBeReadTwice()
    {
        using OnnxModel model = Of(Rows);
        using LossFunction loss = Loss(model, Policy(new LossPolicy(LossKind.CrossEntropy, PolicyPlace, Weight: 0.25, Labels: "a"), new LossPolicy(LossKind.CrossEntropy, PolicyPlace, Labels: "b")));
        Check(loss, Sample(null, null, ("a", Label(0, 1)), ("b", Label(-1, 4))), ("y", Random(10, 2, 5)));
    }

    /// <summary>Compares the gradients with central differences of the value.</summary>
    internal static (IReadOnlyDictionary<string, Tensor> Gradients, double Value) Check(LossFunction loss, Sample sample, params (string Name, Tensor Value)[] outputs)
    {
        Dictionary<string, Tensor> at = Outputs(outputs);
        LossTarget target = loss.TargetOf(sample, 7, at);
        (double value, IReadOnlyDictionary<string, Tensor> gradients) = loss.ValueAndGradients(at, target);
        Assert.Equal(loss.Value(at, target), value, 9);
        foreach ((string name, Tensor output) in outputs)
        {
            Assert.Equal(output.Shape, gradients[name].Shape);
            float[] values = output.Values<float>().ToArray(), gradient = gradients[name].Values<float>().ToArray();
            for (int i = 0; i < values.Length; i++)
            {
                const float Step = 2e-3f;
                float[] up = [.. values], down = [.. values];
                up[i] += Step;
                down[i] -= Step;
                double Of(float[] v) => loss.Value(new Dictionary<string, Tensor>(at) { [name] = Tensor.Of<float>(v, output.Shape) }, target);
                double difference = (Of(up) - Of(down)) / (up[i] - (double)down[i]);
                Assert.True(Math.Abs(difference - gradient[i]) <= 2e-3 * Math.Max(1, Math.Abs(difference)), $"{name}[{i}]: {gradient[i]} and by differences {difference}");
            }
        }

        return (gradients, value);
    }

    internal static Dictionary<string, Tensor> Outputs(params (string Name, Tensor Value)[] outputs) => outputs.ToDictionary(o => o.Name, o => o.Value);

    internal static Tensor Label(params long[] labels) => Tensor.Of<long>(labels, labels.Length);
}
