using System.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Benchmarks;

/// <summary>Partitioning of a long chain of residual blocks, over building the view of the same graph.</summary>
internal static class PartitionBenchmark
{
    private const int NodesOfBlock = 5;
    private const int Width = 8;

    public static int Run(int nodes)
    {
        var graph = new GraphProto { Name = "chain" };
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(Width)]).ToProto("x"));
        var b = new GraphBuilder(GraphBuilder.NamesIn(graph));
        string weight = b.Constant(Tensor.Of<float>(new float[Width * Width], Width, Width), "w");
        string value = "x";
        for (int block = 0; block < nodes / NodesOfBlock; block++)
        {
            string inner = b.MatMul(b.Node("Tanh", [b.MatMul(b.Node("Relu", [value]), weight)]), weight);
            value = b.Add(value, inner);
        }

        b.AppendTo(graph);
        var type = new TensorType(ElementType.Float, [Dimension.Of(1), Dimension.Of(Width)]);
        graph.Output.Add(type.ToProto(value));
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = 17 });
        using var model = new OnnxModel(proto, Path.GetTempPath(), "chain");
        var types = graph.Node.SelectMany(n => n.Output).Append("x").ToDictionary(v => v, _ => type);
        types[weight] = new TensorType(ElementType.Float, [Dimension.Of(Width), Dimension.Of(Width)]);
        Partitioner.Partition(model, types);

        long start = Stopwatch.GetTimestamp();
        _ = new GraphView(graph);
        TimeSpan view = Stopwatch.GetElapsedTime(start);
        start = Stopwatch.GetTimestamp();
        Partition partition = Partitioner.Partition(model, types);
        TimeSpan partitioning = Stopwatch.GetElapsedTime(start);
        Console.WriteLine($"{graph.Node.Count} nodes, {partition.Subgraphs.Count} sub-graphs: view {view.TotalSeconds:0.000} s, partition {partitioning.TotalSeconds:0.00} s, ratio {partitioning / view:0.0}");
        return 0;
    }
}
