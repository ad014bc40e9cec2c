using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Structures;

namespace MixedPrecision.Tests.Structures;

/// <summary>What has to be proven before GroupQueryAttention takes the place of attention, and what becomes of it otherwise.</summary>
public class GroupQueryProofTests
{
    [Fact]
    public void ACausalMaskIsTheKernelsOwn()
    {
        using var model = new OnnxModel(new TracedForm().Build(), "", "model.onnx");
        Assert.All(Kernels(model), k => Assert.True(k.Input.Count < 11 && k.Int("causal", 1) == 1));
    }

    [Theory]
    [InlineData(20)]
    [InlineData(62)]
    public void AWindowIsSeenHoweverLongAndAddedToTheScores(int window)
    {
        using var model = new OnnxModel(new WindowForm(window).Build(), "", "model.onnx");
        Assert.All(Kernels(model), k => Assert.True(k.Input[10].Length > 0 && k.Int("causal", 1) == 0));
        AssertSame(model, new WindowForm(window));
    }

    [Fact]
    public void PaddingIsAddedToTheScores()
    {
        using var model = new OnnxModel(new OptimumForm().Build(), "", "model.onnx");
        Assert.All(Kernels(model), k => Assert.True(k.Input[10].Length > 0 && k.Int("causal", 1) == 0));
    }

    [Fact]
    public void HalvesOfTablesThatDifferAreNoRotation()
    {
        using var model = new OnnxModel(new UnequalHalvesForm().Build(), "", "model.onnx");
        Assert.Empty(Rewriting.Find(model, GroupQueryAttention.Tiled));
    }

    [Theory]
    [InlineData("Softmax")]
    [InlineData("Div")]
    public void AttentionWithAnOutputInsideStaysAsItIs(string operatorType)
    {
        ModelProto proto = new TracedForm().Build();
        string inside = proto.Graph.Node.Last(n => n.OpType == operatorType && (operatorType == "Softmax" || proto.Graph.Node.Any(a => a.OpType == "MatMul" && a.Output[0] == n.Input[0]))).Output[0];
        proto.Graph.Output.Add(new TensorType(ElementType.Float, null).ToProto(inside));
        using var model = new OnnxModel(proto, "", "model.onnx");
        Assert.Single(Rewriting.Find(model, GroupQueryAttention.Tiled));
    }

    [Fact]
    public void FixedSizesNeedNoBranch()
    {
        using var dynamic = new OnnxModel(new DynamoForm().Build(), "", "model.onnx");
        Assert.Contains(Rewritten(dynamic).Graph.Node, n => n.OpType == "If");
        ModelProto single = new DynamoForm().Build();
        foreach (ValueInfoProto value in single.Graph.Input.Concat(single.Graph.Output))
        {
            value.Type.TensorType.Shape.Dim[0] = new TensorShapeProto.Types.Dimension { DimValue = 1 };
        }

        using var model = new OnnxModel(single, "", "model.onnx");
        Assert.Equal(DecoderForm.Blocks, Kernels(model).Count);
        Assert.DoesNotContain(Rewritten(model).Graph.Node, n => n.OpType == "If");
    }

    private static void AssertSame(OnnxModel model, DecoderForm form)
    {
        using Session original = Session.Create(model.Proto, SessionSettings.Default), other = Session.Create(Rewritten(model), SessionSettings.Default);
        foreach ((int batch, int rows) in new[] { (1, 1), (2, 33), (1, 64) })
        {
            Dictionary<string, Tensor> inputs = form.Inputs(batch, rows, 0, padded: false);
            Rewriting.AssertEqual(original.Run(inputs), other.Run(inputs), 1e-5);
        }
    }

    private static ModelProto Rewritten(OnnxModel model) => Rewriting.Apply(model, Rewriting.Find(model, GroupQueryAttention.Tiled).Select(f => f.Match));

    /// <summary>The kernels' nodes, in branches too.</summary>
    private static List<NodeProto> Kernels(OnnxModel model)
    {
        static IEnumerable<NodeProto> All(GraphProto graph) => graph.Node.Concat(graph.Node.SelectMany(n => n.Graphs()).SelectMany(All));
        List<NodeProto> kernels = [.. All(Rewritten(model).Graph).Where(n => n.OpType == "GroupQueryAttention")];
        Assert.NotEmpty(kernels);
        return kernels;
    }

    private sealed class WindowForm(int window) : TracedForm
    {
        protected override float Hides(int row, int column) => column > row || column <= row - window ? -1e9f : 0;
    }

    private sealed class UnequalHalvesForm : TracedForm
    {
        protected override Tensor SineTable()
        {
            float[] values = base.SineTable().Values<float>().ToArray();
            values[^1] += 0.001f;
            return Tensor.Of<float>(values, Places, HeadSize);
        }
    }
}
