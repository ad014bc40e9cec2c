using MixedPrecision.Autodiff;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;

namespace MixedPrecision.Tests.Autodiff;

public class DifferentiabilityTests
{
    private static string Weight(GraphBuilder b) => b.Constant(Tensor.Of<float>([1, 2, 3, 4], 2, 2), "weight");

    [Fact]
    public void StopsAreNamedWithTheLayersThatNoGradientReaches()
    {
        using OnnxModel model = TestModels.Of(["x"], ["y"], b =>
        {
            // One layer reaches the output past Det, two only through it, one only through a comparison.
            string open = b.MatMul("x", Weight(b));
            string behind = b.MatMul(b.Tanh(b.MatMul(open, Weight(b))), Weight(b));
            string compared = b.Cast(b.Greater(b.MatMul("x", Weight(b)), b.Scalar(0)), ElementType.Float);
            b.NodeTo(["y"], "Sum", "", [open, b.Node("Det", [behind]), compared]);
        });
        IReadOnlyList<GradientStop> stops = Differentiability.Explain(model.Graph, TypeInference.Infer(model));
        Assert.Equal([(true, "Greater", 1), (false, "Det", 2)], stops.Select(s => (s.ByNature, s.Operator, s.Layers)).OrderBy(s => s.Layers));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void LayersBeforeALoopAreOutOfReachOnlyWhereItCarriesASequence(bool sequence)
    {
        using OnnxModel model = TestModels.Of(["x"], ["y"], b =>
        {
            var body = new GraphProto { Name = "body" };
            var inner = new GraphBuilder(["i", "go", "s"], "body/");
            string[] results = [inner.Node("Identity", ["go"]), sequence ? inner.Node("SequenceInsert", ["s", Weight(inner)]) : inner.MatMul("s", Weight(inner))];
            TypeProto element = new TensorType(ElementType.Float, null).ToProto("s").Type;
            TypeProto state = sequence ? new TypeProto { SequenceType = new TypeProto.Types.Sequence { ElemType = element } } : element;
            body.Input.AddRange([new TensorType(ElementType.Int64, []).ToProto("i"), new TensorType(ElementType.Bool, []).ToProto("go"), new ValueInfoProto { Name = "s", Type = state }]);
            inner.AppendTo(body);
            body.Output.AddRange(results.Select(r => new ValueInfoProto { Name = r }));
            string layer = b.MatMul("x", Weight(b));
            string looped = b.Node("Loop", [b.Squeeze(b.Size("x", 0), 0), "", sequence ? b.Node("SequenceConstruct", [layer]) : layer], Attributes.Of("body", body));
            b.NodeTo(["y"], "MatMul", "", [sequence ? b.Node("ConcatFromSequence", [looped], Attributes.Of("axis", 0)) : looped, Weight(b)]);
        });
        using OnnxModel lowered = GraphLowering.Lower(model, TypeInference.Infer(model));
        IReadOnlyList<GradientStop> stops = Differentiability.Explain(lowered.Graph, TypeInference.Infer(lowered));
        Assert.Equal(sequence ? [("ConcatFromSequence", false, 1)] : [], stops.Select(s => (s.Operator, s.ByNature, s.Layers)));
    }

    [Theory]
    [InlineData("docarea")]
    [InlineData("doclm")]
    [InlineData("textline-orientation")]
    [InlineData("yolox-nano")]
    [InlineData("ppocr-det")]
    [InlineData("silero-vad")]
    [InlineData("ppocr-rec")]
    public void NoLayerOfARealModelIsOutOfReach(string name)
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model(name));
        using OnnxModel lowered = GraphLowering.Lower(model, TypeInference.Infer(model));
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(lowered);
        Assert.Empty(Differentiability.Explain(lowered.Graph, types));

        var view = new GraphView(lowered.Graph);
        string[] targets = [.. view.Nodes.Where(n => n.OpType is "MatMul" or "Gemm" or "Conv" or "ConvTranspose").SelectMany(n => n.Input.Take(2)).Distinct()];
        var builder = new GraphBuilder(GraphBuilder.NamesIn(lowered.Graph), "gradient/");
        Dictionary<string, string> seeds = lowered.Graph.Output.Where(o => ElementType.IsFloating(types[o.Name].ElementType)).ToDictionary(o => o.Name, o => builder.Filled(builder.Shape(o.Name), 1, ElementType.Float));
        IReadOnlyDictionary<string, string> gradients = Differentiation.Differentiate(lowered.Graph, types, builder, seeds, targets);
        Assert.Equal(targets.Length, gradients.Count);
        builder.AppendTo(lowered.Graph);
        lowered.Graph.Output.AddRange(gradients.Values.Distinct().Except(lowered.Graph.Output.Select(o => o.Name)).Select(g => new ValueInfoProto { Name = g }));
        Session.Create(lowered.Proto, SessionSettings.Plain).Dispose();
    }
}
