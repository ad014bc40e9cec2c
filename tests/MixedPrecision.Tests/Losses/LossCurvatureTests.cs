using MixedPrecision.Autodiff;
using MixedPrecision.Execution;
using MixedPrecision.Losses;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using static MixedPrecision.Tests.Losses.LossGradientTests;
using static MixedPrecision.Tests.Losses.LossModels;

namespace MixedPrecision.Tests.Losses;

/// <summary>Gradients for labels drawn from the model, and gradients against those of the same loss written in ONNX.</summary>
public class LossCurvatureTests
{
    /// <summary>The loss of logits has a second derivative without labels in it, which the mean of ⟨Δ, s⟩² has to be.</summary>
    [Fact]
    public void DrawnGradientsHaveTheLosssCurvature()
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["a"] = ["batch", "4"], ["b"] = ["batch", "sequence", "3"], ["c"] = ["batch", "2"] });
        using LossFunction loss = Loss(model, Policy(
            new LossPolicy(LossKind.CrossEntropy, PolicyPlace, "a", 0.5, "first"),
            new LossPolicy(LossKind.CrossEntropy, PolicyPlace, "b", 2, "second"),
            new LossPolicy(LossKind.OutputMse, PolicyPlace, "c", 1)));
        Dictionary<string, Tensor> at = Outputs(("a", Random(1, 3, 4)), ("b", Random(2, 1, 4, 3)), ("c", Random(3, 1, 2)));
        Dictionary<string, Tensor> change = Outputs(("a", Random(4, 3, 4)), ("b", Random(5, 1, 4, 3)), ("c", Random(6, 1, 2)));
        var sample = Sample(null, null, ("first", Label(0, -1, 2)), ("second", Tensor.Of<long>([0, 1, -1, 2], 1, 4)));

        const float Step = 0.02f;
        Dictionary<string, Tensor> Moved(float step) => at.ToDictionary(o => o.Key, o => Tensor.Of<float>(
            [.. o.Value.Values<float>().ToArray().Zip(change[o.Key].Values<float>().ToArray(), (v, d) => v + (step * d))], o.Value.Shape));
        LossTarget target = loss.TargetOf(sample, 0, at);
        double second = (loss.Value(Moved(Step), target) - (2 * loss.Value(at, target)) + loss.Value(Moved(-Step), target)) / (Step * Step);

        double mean = 0;
        const int Draws = 20_000;
        for (int number = 0; number < Draws; number++)
        {
            IReadOnlyDictionary<string, Tensor> drawn = loss.DrawnGradients(at, loss.TargetOf(sample, number, at));
            Assert.False(drawn.ContainsKey("c"));
            double product = drawn.Sum(g => g.Value.Values<float>().ToArray().Zip(change[g.Key].Values<float>().ToArray(), (x, y) => (double)x * y).Sum());
            mean += product * product / Draws;
        }

        Assert.InRange(mean / second, 0.96, 1.04);
        Assert.True(loss.HasCurvature);
    }

    [Fact]
    public void DrawnIndependentLabelsHaveTheLosssCurvature()
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "4"] });
        using LossFunction loss = Loss(model, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        Tensor y = Random(1, 2, 4);
        var sample = Sample(Tensor.Of<long>([1, 0, -1, 1, 0, 0, 1, 1], 2, 4));
        double expected = y.Values<float>().ToArray().Where((_, i) => i != 2).Sum(v => 1 / (1 + Math.Exp(-v)) / (1 + Math.Exp(v))) / 7;
        double trace = Enumerable.Range(0, 20_000).Average(number =>
            loss.DrawnGradients(Outputs(("y", y)), loss.TargetOf(sample, number, Outputs(("y", y))))["y"].Values<float>().ToArray().Sum(g => (double)g * g));
        Assert.InRange(trace / expected, 0.97, 1.03);
    }

    [Theory]
    [InlineData("LogSoftmax")]
    [InlineData("Softmax")]
    public void TheGradientIsThatOfTheSameLossInOnnx(string end)
    {
        const int Count = 40, Classes = 300;
        var rows = new Dictionary<string, string[]> { ["y"] = ["rows", "classes"] };
        using OnnxModel model = Of(rows, end == "Softmax" ? (b, x) => b.Node("Softmax", [x]) : null);
        using LossFunction loss = Loss(model, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        Tensor y = Random(11, Count, Classes);
        y = end == "Softmax" ? Map(y, Softmax) : y;
        long[] labels = [.. Enumerable.Range(0, Count).Select(i => (i * 37L) % Classes)];

        var builder = new GraphBuilder(["y", "labels", "loss"]);
        string logarithms = end == "Softmax" ? builder.Node("Log", ["y"]) : builder.Node("LogSoftmax", ["y"]);
        string chosen = builder.Node("GatherElements", [logarithms, "labels"], Attributes.Of("axis", 1));
        builder.NodeTo(["loss"], "Neg", "", [builder.Node("ReduceMean", [chosen], Attributes.Of("keepdims", 0))]);
        var graph = new GraphProto { Name = "loss" };
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Unknown, Dimension.Unknown]).ToProto("y"));
        graph.Input.Add(new TensorType(ElementType.Int64, [Dimension.Unknown, Dimension.Unknown]).ToProto("labels"));
        graph.Output.Add(new TensorType(ElementType.Float, []).ToProto("loss"));
        builder.AppendTo(graph);
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        using var written = new OnnxModel(proto, "", "loss");
        using Session session = Session.Create(GradientModel.Build(written, "loss", ["y"]), SessionSettings.Plain);
        IReadOnlyDictionary<string, Tensor> expected = session.Run(new Dictionary<string, Tensor> { ["y"] = y, ["labels"] = Tensor.Of<long>(labels, Count, 1) });

        (double value, IReadOnlyDictionary<string, Tensor> gradients) = loss.ValueAndGradients(Outputs(("y", y)), loss.TargetOf(Sample(Label(labels)), 0, Outputs(("y", y))));
        Assert.Equal(expected["loss"].Values<float>()[0], value, 5);
        float[] wanted = expected["y.grad"].Values<float>().ToArray(), found = gradients["y"].Values<float>().ToArray();
        float scale = wanted.Max(Math.Abs);
        Assert.All(wanted.Zip(found), g => Assert.InRange((g.First - g.Second) / scale, -1e-5, 1e-5));
    }

    [Fact]
    public void AGradientTakesOnceTheOutputsMemory()
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["rows", "classes"] });
        using LossFunction loss = Loss(model, new CalibrationPolicy(null, LossKind.CrossEntropy, null, 1, null));
        Tensor y = Random(12, 256, 8192);
        long before = GC.GetAllocatedBytesForCurrentThread();
        LossTarget target = loss.TargetOf(Sample(), 0, Outputs(("y", y)));
        loss.ValueAndGradients(Outputs(("y", y)), target);
        loss.DrawnGradients(Outputs(("y", y)), target);
        double allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.InRange(allocated / y.Bytes.Length, 2, 2.1);
    }

    [Fact]
    public void HalfAndDoubleOutputsAreRead()
    {
        using OnnxModel model = Of(new Dictionary<string, string[]> { ["y"] = ["batch", "5"] });
        using LossFunction loss = Loss(model, new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        float[] values = [1, 0.5f, -2, 0.25f, 3];
        Tensor single = Tensor.Of<float>(values, 1, 5);
        Tensor half = Tensor.Of<Half>([.. values.Select(v => (Half)v)], 1, 5), real = Tensor.Of<double>([.. values.Select(v => (double)v)], 1, 5);
        var brain = new Tensor(ElementType.BFloat16, [1, 5], values.SelectMany(v => BitConverter.GetBytes((ushort)(BitConverter.SingleToUInt32Bits(v) >> 16))).ToArray());
        (IReadOnlyDictionary<string, Tensor> Gradients, double Value) At(Tensor y)
        {
            (double value, IReadOnlyDictionary<string, Tensor> gradients) = loss.ValueAndGradients(Outputs(("y", y)), loss.TargetOf(Sample(Label(3)), 0, Outputs(("y", y))));
            return (gradients, value);
        }

        Assert.All(new[] { half, brain, real }, y => Assert.Equal(At(single).Value, At(y).Value, 12));
        Assert.Equal(At(single).Gradients["y"].Values<float>(), At(half).Gradients["y"].Values<float>());
        Assert.Equal(ElementType.Double, At(real).Gradients["y"].ElementType);
    }
}
