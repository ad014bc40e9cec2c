using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Tests.Partitioning;

/// <summary>Small models for tests, written with the graph builder.</summary>
internal static class Graphs
{
    /// <summary>A model of opset 17 whose float input "x" has the shape given; <paramref name="write"/> returns the names of the outputs.</summary>
    public static OnnxModel Model(long[] shape, Func<GraphBuilder, string[]> write, int opset = 17) =>
        Model([("x", ElementType.Float, shape)], write, opset);

    public static OnnxModel Model((string Name, int Type, long[] Shape)[] inputs, Func<GraphBuilder, string[]> write, int opset = 17)
    {
        var builder = new GraphBuilder(inputs.Select(i => i.Name));
        string[] outputs = write(builder);
        var graph = new GraphProto { Name = "test" };
        graph.Input.AddRange(inputs.Select(i => new TensorType(i.Type, [.. i.Shape.Select((s, d) => s < 0 ? new Dimension(null, $"{i.Name}{d}") : Dimension.Of(s))]).ToProto(i.Name)));
        builder.AppendTo(graph);
        graph.Output.AddRange(outputs.Distinct().Select(o => new ValueInfoProto { Name = o }));
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = opset });
        proto.OpsetImport.AddRange(builder.Domains.Select(d => new OperatorSetIdProto { Domain = d.Key, Version = d.Value }));
        return Reload(proto);
    }

    /// <summary>The model as if read from a file: nothing shared with the message.</summary>
    public static OnnxModel Reload(ModelProto proto) => new(proto.Clone(), Directory.GetCurrentDirectory(), "test.onnx");

    public static Partition Partition(OnnxModel model) => Partitioner.Partition(model, TypeInference.Infer(model));

    /// <summary>Layers of each sub-graph as their number in topological order, e.g. "0 1 | 2".</summary>
    public static string Layout(Partition partition)
    {
        int[] order = [.. partition.Layers.Select(l => l.Node).Order()];
        return string.Join(" | ", partition.Subgraphs.Select(s => string.Join(' ', s.Layers.Select(l => Array.IndexOf(order, l.Node)))));
    }

    /// <summary>A constant of pseudo-random values, different for each seed.</summary>
    public static string Weight(this GraphBuilder b, int seed, params long[] shape)
    {
        var random = new Random(seed);
        float[] values = [.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (random.NextSingle() - 0.5f) * 0.5f)];
        return b.Constant(Tensor.Of<float>(values, shape), "weight");
    }

    public static string Relu(this GraphBuilder b, string x) => b.Node("Relu", [x]);

    public static string Conv(this GraphBuilder b, string x, int seed, long channelsOut, long channelsIn, long kernel = 3) =>
        b.Node("Conv", [x, b.Weight(seed, channelsOut, channelsIn, kernel, kernel)], Attributes.Of("pads", [kernel / 2, kernel / 2, kernel / 2, kernel / 2]));
}
