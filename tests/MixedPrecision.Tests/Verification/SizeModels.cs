using MixedPrecision.Data;
using MixedPrecision.Onnx;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Verification;

/// <summary>A small detector: scores of fixed size, and those over a threshold, as many as there are.</summary>
internal static class SizeModels
{
    public static ModelProto Detector()
    {
        ModelProto model = LayerModels.Model(
            [("x", [1, 32])],
            b =>
            {
                b.NodeTo(["scores"], "MatMul", "", [b.Node("Relu", [b.MatMul("x", "w")]), "v"]);
                string flat = b.Reshape("scores", b.Integers(-1));
                b.NodeTo(["kept"], "Compress", "", [flat, b.Node("Greater", [flat, b.Scalar(0)])]);
            },
            ("w", LayerModels.Random(3, 32, 64)),
            ("v", LayerModels.Random(4, 64, 48)));
        model.Graph.Output.Clear();
        model.Graph.Output.Add(new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(48)]).ToProto("scores"));
        model.Graph.Output.Add(new TensorType(ElementType.Float, [new Dimension(null, "found")]).ToProto("kept"));
        return model;
    }

    public static IReadOnlyList<Sample> Samples(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new Sample($"sample {i}", new Dictionary<string, Tensor> { ["x"] = LayerModels.Random(100 + i, 1, 32) }, null))];
}
