using Google.Protobuf;
using MixedPrecision.Calibration;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Calibration;

/// <summary>What the models of a segment hold, take and give: small models that once went wrong.</summary>
public sealed class SegmentTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("mixed-precision-").FullName;

    /// <summary>One half of a split is a layer's operand and is kept; the other only counts in a gradient, and is computed again.</summary>
    [Fact]
    public void OneOfSeveralOutputsIsKept()
    {
        (GraphProto graph, GraphBuilder b) = Start("gated");
        string[] halves = b.NodeWithOutputs("Split", 2, [b.MatMul("x", Weight(b, 8, 16))], Attributes.Of("axis", 1), Attributes.Of("num_outputs", 2));
        string gated = b.Mul(b.MatMul(halves[0], Weight(b, 8, 8)), halves[1]);
        b.NodeTo(["logits"], "MatMul", "", [gated, Weight(b, 8, 4)]);
        Same(Calibrate(graph, b, new CalibrationMemory(KeptValues: 0)), Calibrate(graph, b, CalibrationMemory.Default));
    }

    /// <summary>ONNX Runtime fuses a LayerNormalization that is written out, and takes 1e-5 for an epsilon that is no constant.</summary>
    [Fact]
    public void AnEpsilonIsAConstantOfItsSegment()
    {
        (GraphProto graph, GraphBuilder b) = Start("normalized");
        string value = b.MatMul("x", Weight(b, 8, 8));
        string Mean(string of) => b.Node("ReduceMean", [of, b.Integers(-1)]);
        string centred = b.Node("Sub", [value, Mean(value)]);
        string deviation = b.Node("Sqrt", [b.Add(Mean(b.Node("Pow", [centred, b.Scalar(2)])), b.Scalar(0.5))]);
        string normalized = b.Add(b.Mul(b.Node("Div", [centred, deviation]), Weight(b, 8)), Weight(b, 8));
        b.NodeTo(["logits"], "MatMul", "", [normalized, Weight(b, 8, 4)]);
        Same(Calibrate(graph, b, CalibrationMemory.Default), Calibrate(graph, b, new CalibrationMemory(WholeModel: 0)));
    }

    /// <summary>Exporters leave a Dropout with its mask in the graph when they are told to keep the mode; its output is the next layer's operand.</summary>
    [Fact]
    public void ADropoutThatGivesItsMaskIsKept()
    {
        (GraphProto graph, GraphBuilder b) = Start("dropout");
        string hidden = b.Node("Tanh", [b.MatMul("x", Weight(b, 8, 8))]);
        string[] dropped = b.NodeWithOutputs("Dropout", 2, [hidden, b.Scalar(0.5), b.Constant(Tensor.Of<bool>([false]))]);
        b.NodeTo(["logits"], "MatMul", "", [dropped[0], Weight(b, 8, 4)]);
        Assert.All(Calibrate(graph, b, CalibrationMemory.Default).Layers, l => Assert.True(l.TaylorActivation > 0 && l.TaylorWeight > 0));
    }

    /// <summary>The maxima are a layer's operand and are kept; what they were taken of is computed again, by kernels that round otherwise.</summary>
    [Fact]
    public void MaximaAreFoundAmongValuesThatAreComputedAgain()
    {
        (GraphProto graph, GraphBuilder b) = Start("maxima");
        string hidden = b.MatMul("x", Weight(b, 8, 96));
        string normalized = b.Node("InstanceNormalization", [b.Reshape(hidden, b.Integers(1, 4, 24)), Weight(b, 4), Weight(b, 4)]);
        string softened = b.Node("Softplus", [normalized]);
        string maxima = b.Node("ReduceMax", [b.Reshape(softened, b.Integers(1, 32, 3)), b.Integers(2)], Attributes.Of("keepdims", 0));
        b.NodeTo(["logits"], "MatMul", "", [maxima, Weight(b, 32, 4)]);
        Same(Calibrate(graph, b, new CalibrationMemory(KeptValues: 0)), Calibrate(graph, b, CalibrationMemory.Default));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>A graph from `x` [1, 8] to `logits` [1, 4] that has no nodes yet.</summary>
    private static (GraphProto Graph, GraphBuilder Builder) Start(string name)
    {
        var graph = new GraphProto { Name = name };
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(8)]).ToProto("x"));
        graph.Output.Add(new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(4)]).ToProto("logits"));
        return (graph, new GraphBuilder(GraphBuilder.NamesIn(graph)));
    }

    private static void Same(Sensitivities expected, Sensitivities found)
    {
        Assert.Equal(expected.MeanSquareLoss, found.MeanSquareLoss, expected.MeanSquareLoss * 1e-5);
        Assert.All(expected.Layers.Zip(found.Layers), l =>
        {
            Assert.Equal(l.First.TaylorActivation, l.Second.TaylorActivation, l.First.TaylorActivation * 1e-5);
            Assert.Equal(l.First.TaylorWeight, l.Second.TaylorWeight, l.First.TaylorWeight * 1e-5);
        });
    }

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

    private static string Weight(GraphBuilder b, params long[] shape) => b.Constant(
        Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(i => MathF.Sin((i * 0.7f) + shape[0]))], shape), "w");
}
