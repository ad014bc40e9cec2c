using Google.Protobuf;
using MixedPrecision.Calibration;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Operands that the forward pass gives to the backward pass, made by operators of several outputs.</summary>
public sealed class KeptValuesTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("mixed-precision-").FullName;

    /// <summary>One half of a split is a layer's operand and is kept; the other only counts in a gradient, and is computed again.</summary>
    [Fact]
    public void OneOfSeveralOutputsIsKept()
    {
        var graph = new GraphProto { Name = "gated" };
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(8)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(4)]).ToProto("logits"));
        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string[] halves = b.NodeWithOutputs("Split", 2, [b.MatMul("x", Weight(b, 8, 16))], Attributes.Of("axis", 1), Attributes.Of("num_outputs", 2));
        string gated = b.Mul(b.MatMul(halves[0], Weight(b, 8, 8)), halves[1]);
        b.NodeTo(["logits"], "MatMul", "", [gated, Weight(b, 8, 4)]);
        Sensitivities kept = Calibrate(graph, b, CalibrationMemory.Default);
        Sensitivities computed = Calibrate(graph, b, new CalibrationMemory(KeptValues: 0));
        Assert.All(kept.Layers.Zip(computed.Layers), l =>
        {
            Assert.Equal(l.Second.TaylorActivation, l.First.TaylorActivation, l.Second.TaylorActivation * 1e-5);
            Assert.Equal(l.Second.TaylorWeight, l.First.TaylorWeight, l.Second.TaylorWeight * 1e-5);
        });
    }

    /// <summary>Exporters leave a Dropout with its mask in the graph when they are told to keep the mode; its output is the next layer's operand.</summary>
    [Fact]
    public void ADropoutThatGivesItsMaskIsKept()
    {
        var graph = new GraphProto { Name = "dropout" };
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(8)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(4)]).ToProto("logits"));
        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string hidden = b.Node("Tanh", [b.MatMul("x", Weight(b, 8, 8))]);
        string[] dropped = b.NodeWithOutputs("Dropout", 2, [hidden, b.Scalar(0.5), b.Constant(Tensor.Of<bool>([false]))]);
        b.NodeTo(["logits"], "MatMul", "", [dropped[0], Weight(b, 8, 4)]);
        Assert.All(Calibrate(graph, b, CalibrationMemory.Default).Layers, l => Assert.True(l.TaylorActivation > 0 && l.TaylorWeight > 0));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private Sensitivities Calibrate(GraphProto graph, GraphBuilder b, CalibrationMemory memory)
    {
        GraphProto filled = graph.Clone();
        b.AppendTo(filled);
        var model = new ModelProto { IrVersion = 8, Graph = filled };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 18 });
        File.WriteAllBytes(Path.Combine(folder, "model.onnx"), model.ToByteArray());
        File.WriteAllText(Path.Combine(folder, "data.jsonl"), """{ "x": [[0.5, -1, 2, 0.1, 0.7, -0.3, 0.9, -2]], "label": [1] }""");
        using var fixture = new CalibrationFixture(
            Path.Combine(folder, "model.onnx"), Path.Combine(folder, "data.jsonl"), new CalibrationPolicy(null, LossKind.CrossEntropy, "label", 1, null));
        return fixture.Calibrate(["fp32"], memory);
    }

    private static string Weight(GraphBuilder b, int rows, int columns) => b.Constant(
        Tensor.Of<float>([.. Enumerable.Range(0, rows * columns).Select(i => MathF.Sin((i * 0.7f) + rows))], rows, columns), "w");
}
