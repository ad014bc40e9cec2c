using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Tests.Partitioning;

/// <summary>Tables to look up in are a sub-graph of their own before all others, which stay as they are, or no layers, with the reason.</summary>
public class EmbeddingPartitionTests
{
    private static readonly (string, int, long[])[] Ids = [("ids", ElementType.Int64, [2, 5])];

    [Fact]
    public void TablesBeforeTheFirstCutAreASubgraphOfTheirOwn()
    {
        using OnnxModel model = Graphs.Model(Ids, b => [Layers(b, b.Add(b.Gather(b.Weight(1, 50, 16), "ids", 0), b.Gather(b.Weight(2, 8, 16), Positions(b), 0)))]);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition without = Partitioner.Partition(model, types), with = Partitioner.Partition(model, types, withEmbeddings: true);
        Subgraph first = with.Subgraphs[0];
        Assert.Equal([LayerKind.Embedding, LayerKind.Embedding], first.Layers.Select(l => l.Kind));
        Assert.Equal(["ids", Positions(model)], first.Layers.Select(l => l.Input));
        Assert.Equal((null, without.Subgraphs[0].Entry), (first.Entry, first.Exit));
        Assert.Equal(first.Nodes, first.Timed);
        Assert.Equal(without.Subgraphs.Count + 1, with.Subgraphs.Count);
        Assert.All(without.Subgraphs.Zip(with.Subgraphs.Skip(1)), s =>
        {
            Assert.Equal(s.First.Fingerprint, s.Second.Fingerprint);
            Assert.Equal(s.First.Timed, s.Second.Timed);
            Assert.Equal(s.First.Layers.Select(l => (l.Name, l.Node, l.Input, l.Weight)), s.Second.Layers.Select(l => (l.Name, l.Node, l.Input, l.Weight)));
            Assert.Equal((s.First.Entry, s.First.Exit), (s.Second.Entry, s.Second.Exit));
        });
        Assert.Equal(Enumerable.Range(0, model.Graph.Node.Count), with.Subgraphs.SelectMany(s => s.Nodes).Order());
        Assert.Empty(with.Excluded);
        Assert.All(without.Excluded, e => Assert.Equal("fewer bits gain memory in tables to look up in, but no time", e.Reason));
        Assert.Equal(2, without.Excluded.Count);
    }

    /// <summary>Rows that are added to scores inside of attention, and the table that a decoder reads while an encoder runs, are looked up beside other layers.</summary>
    [Fact]
    public void ATableBesideLayersIsNone()
    {
        using OnnxModel model = Graphs.Model(Ids, b =>
        {
            string x = b.Gather(b.Weight(1, 50, 16), "ids", 0);
            return [b.MatMul(b.Add(b.Relu(b.MatMul(x, b.Weight(2, 16, 16))), b.Gather(b.Weight(3, 50, 16), "ids", 0)), b.Weight(4, 16, 4))];
        });
        Partition partition = Partitioner.Partition(model, TypeInference.Infer(model), withEmbeddings: true);
        Assert.Equal("0 | 1 | 2", Graphs.Layout(partition));
        Assert.Equal("layers run before or beside it, so that it belongs to no sub-graph of its own", Assert.Single(partition.Excluded).Reason);
    }

    [Fact]
    public void WhereNothingPrecedesAllLayersThereIsNone()
    {
        using OnnxModel model = Graphs.Model([("ids", ElementType.Int64, [2, 5]), ("x", ElementType.Float, [2, 5, 16])], b =>
            [b.Add(b.MatMul("x", b.Weight(1, 16, 4)), b.MatMul(b.Gather(b.Weight(2, 50, 16), "ids", 0), b.Weight(3, 16, 4)))]);
        Partition partition = Partitioner.Partition(model, TypeInference.Infer(model), withEmbeddings: true);
        Assert.Equal("0 1", Graphs.Layout(partition));
        Assert.Equal("/", $"/{string.Join(' ', partition.Layers.Where(l => l.Kind == LayerKind.Embedding).Select(l => l.Name))}");
    }

    [Fact]
    public void AModelOfTablesAloneIsOneSubgraph()
    {
        using OnnxModel model = Graphs.Model(Ids, b => [b.Add(b.Gather(b.Weight(1, 50, 16), "ids", 0), b.Gather(b.Weight(2, 50, 16), "ids", 0))]);
        Assert.Equal("0 1", Graphs.Layout(Partitioner.Partition(model, TypeInference.Infer(model), withEmbeddings: true)));
    }

    public static TheoryData<string, string> OtherLookUps() => new()
    {
        { "columns", "it does not look up rows of a matrix" },
        { "blocks", "it does not look up rows of a matrix" },
        { "constant", "both operands are constant" },
        { "double", "its elements are double, not float" },
        { "quantized", "its table is quantized already" },
    };

    [Theory]
    [MemberData(nameof(OtherLookUps))]
    public void OtherLookUpsAreNone(string kind, string reason)
    {
        using OnnxModel model = Graphs.Model([("ids", ElementType.Int64, [5]), ("x", ElementType.Float, [3, 16])], b =>
        {
            string rows = kind switch
            {
                "columns" => b.Gather(b.Weight(1, 50, 16), "ids", 1),
                "blocks" => b.Gather(b.Weight(1, 50, 2, 16), "ids", 0),
                "constant" => b.Gather(b.Weight(1, 50, 16), b.Integers(3, 4), 0),
                "double" => b.Cast(b.Gather(b.Constant(Tensor.Of<double>(new double[800], 50, 16)), "ids", 0), ElementType.Float),
                _ => b.Gather(b.Node("DequantizeLinear", [b.Constant(Tensor.Of<byte>(new byte[800], 50, 16)), b.Scalar(0.5)]), "ids", 0),
            };
            return [b.MatMul("x", b.Weight(2, 16, 4)), rows];
        });
        Partition partition = Partitioner.Partition(model, TypeInference.Infer(model), withEmbeddings: true);
        Assert.Equal(LayerKind.MatMul, Assert.Single(partition.Layers).Kind);
        Assert.Equal(reason, Assert.Single(partition.Excluded).Reason);
    }

    private static string Layers(GraphBuilder b, string x)
    {
        string normal = b.Mul(x, b.Scalar(0.5));
        return b.MatMul(b.Add(x, b.Relu(b.MatMul(normal, b.Weight(3, 16, 16)))), b.Weight(4, 16, 4));
    }

    private static string Positions(GraphBuilder b) => b.Node("Range", [b.Scalar(0, ElementType.Int64), b.Gather(b.Shape("ids"), b.Scalar(1, ElementType.Int64), 0), b.Scalar(1, ElementType.Int64)]);

    private static string Positions(OnnxModel model) => model.Graph.Node.Single(n => n.OpType == "Range").Output[0];
}
