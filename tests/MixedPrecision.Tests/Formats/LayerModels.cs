using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Tests.Formats;

/// <summary>Models of one or two layers; inputs x (and z), output y, weights w (and v).</summary>
internal static class LayerModels
{
    public static ModelProto MatMul(int rows, int inputs, int outputs) => Model(
        [("x", [rows, inputs])],
        b => b.NodeTo(["y"], "MatMul", "", ["x", "w"]),
        ("w", Random(3, inputs, outputs)));

    /// <summary>y = 0.5·x·wᵀ + 2·c.</summary>
    public static ModelProto Gemm(int inputs, int outputs) => Model(
        [("x", [5, inputs])],
        b => b.NodeTo(["y"], "Gemm", "", ["x", "w", "c"], Attributes.Of("alpha", 0.5f), Attributes.Of("beta", 2f), Attributes.Of("transB", 1)),
        ("w", Random(4, outputs, inputs)),
        ("c", Random(5, outputs)));

    public static ModelProto Product() => Model(
        [("x", [2, 6, 16]), ("z", [2, 16, 6])],
        b => b.NodeTo(["y"], "MatMul", "", ["x", "z"]));

    public static ModelProto Convolution() => Model(
        [("x", [1, 3, 8, 8])],
        b => b.NodeTo(["y"], "Conv", "", ["x", "w"]),
        ("w", Random(6, 4, 3, 3, 3)));

    /// <summary>y = x·w + x·v.</summary>
    public static ModelProto TwoReaders() => Model(
        [("x", [4, 32])],
        b => b.NodeTo(["y"], "Add", "", [b.MatMul("x", "w"), b.MatMul("x", "v")]),
        ("w", Random(7, 32, 16)),
        ("v", Random(8, 32, 16)));

    public static LayerSite SiteOf(OnnxModel model, Partition partition, IReadOnlyDictionary<string, TensorType> types, Layer layer) =>
        new(layer, partition.View.Nodes[layer.Node], model.Opset, types[layer.Input], types[layer.Weight]);

    /// <summary>The operators of a model as ONNX Runtime will run it.</summary>
    public static string[] OperatorsAfterOptimization(ModelProto model)
    {
        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            using var options = new SessionOptions { OptimizedModelFilePath = file, GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_EXTENDED };
            using var session = new InferenceSession(model.ToByteArray(), options);
            return [.. ModelProto.Parser.ParseFrom(File.ReadAllBytes(file)).Graph.Node.Select(n => n.OpType)];
        }
        finally
        {
            File.Delete(file);
        }
    }

    public static ModelProto Model((string Name, long[] Shape)[] inputs, Action<GraphBuilder> build, params (string Name, Tensor Value)[] weights)
    {
        var graph = new GraphProto { Name = "layers" };
        foreach ((string name, long[] shape) in inputs)
        {
            graph.Input.Add(new TensorType(ElementType.Float, [.. shape.Select(Dimension.Of)]).ToProto(name));
        }

        graph.Initializer.AddRange(weights.Select(w => w.Value.ToProto(w.Name)));
        graph.Output.Add(new TensorType(ElementType.Float, null).ToProto("y"));
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph));
        build(builder);
        builder.AppendTo(graph);
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        return model;
    }

    public static Tensor Random(int seed, params long[] shape)
    {
        var random = new Random(seed);
        return Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)((random.NextDouble() * 2) - 1))], shape);
    }
}
