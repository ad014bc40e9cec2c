using CsCheck;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Tests.Partitioning;

public class PartitionerTests
{
    [Fact]
    public void AResidualBlockWithoutProjectionSplitsAtEveryConvolution()
    {
        using OnnxModel model = Graphs.Model([1, 4, 8, 8], b =>
        {
            string stem = b.Relu(b.Conv("x", 1, 4, 4));
            string branch = b.Conv(b.Relu(b.Conv(stem, 2, 4, 4)), 3, 4, 4);
            return [b.Conv(b.Relu(b.Add(stem, branch)), 4, 4, 4)];
        });
        Partition partition = Graphs.Partition(model);
        Assert.Equal("0 | 1 | 2 | 3", Graphs.Layout(partition));
        Assert.Equal(["Conv", "Relu"], Operators(partition, 1));
        Assert.Equal(["Conv", "Add", "Relu"], Operators(partition, 2));
    }

    [Fact]
    public void AResidualBlockWithProjectionIsOneSubgraph()
    {
        using OnnxModel model = Graphs.Model([1, 4, 8, 8], b =>
        {
            string stem = b.Relu(b.Conv("x", 1, 4, 4));
            string branch = b.Conv(b.Relu(b.Conv(stem, 2, 8, 4)), 3, 8, 8);
            string shortcut = b.Conv(stem, 4, 8, 4, kernel: 1);
            return [b.Conv(b.Relu(b.Add(branch, shortcut)), 5, 8, 8)];
        });
        Partition partition = Graphs.Partition(model);
        Assert.Equal("0 | 1 2 3 | 4", Graphs.Layout(partition));
        Assert.Equal(partition.Subgraphs[1].Exit, partition.Subgraphs[2].Entry);
    }

    [Fact]
    public void WhatPrecedesAllLayersIsOwnedByTheFirstSubgraphButNotTimed()
    {
        using OnnxModel model = Graphs.Model([2, 8], b => [b.MatMul(b.Relu(b.Neg("x")), b.Weight(1, 8, 4))]);
        Subgraph subgraph = Assert.Single(Graphs.Partition(model).Subgraphs);
        Assert.Equal([0, 1, 2], subgraph.Nodes);
        Assert.Equal([2], subgraph.Timed);
        Assert.NotNull(subgraph.Entry);
    }

    [Fact]
    public void AModelWithoutLayersIsOneSubgraph()
    {
        using OnnxModel model = Graphs.Model([2, 8], b => [b.Relu(b.Neg("x"))]);
        Subgraph subgraph = Assert.Single(Graphs.Partition(model).Subgraphs);
        Assert.Empty(subgraph.Layers);
        Assert.Equal(subgraph.Nodes, subgraph.Timed);
    }

    [Theory]
    [InlineData("both operands are constant")]
    [InlineData("its first operand is the constant one")]
    [InlineData("its elements are double, not float")]
    [InlineData("its weight is not constant")]
    [InlineData("it transposes its activation")]
    [InlineData("its weight is quantized already")]
    [InlineData("it is quantized already")]
    [InlineData("a fused operator is kept whole")]
    public void ALinearOperationThatIsNoLayerIsNamedWithItsReason(string reason)
    {
        using OnnxModel model = Graphs.Model([4, 4], b =>
        {
            string x8 = b.Cast("x", ElementType.UInt8);
            string quantized = b.Constant(Tensor.Of<sbyte>(new sbyte[128], 16, 8));
            return
            [
                reason switch
                {
                    "both operands are constant" => b.Add(b.MatMul(b.Weight(1, 4, 4), b.Weight(2, 4, 4)), "x"),
                    "its first operand is the constant one" => b.MatMul(b.Weight(1, 4, 4), "x"),
                    "its elements are double, not float" => b.MatMul(b.Cast("x", ElementType.Double), b.Constant(Tensor.Of<double>(new double[16], 4, 4))),
                    "its weight is not constant" => b.Node("Gemm", ["x", "x"]),
                    "it transposes its activation" => b.Node("Gemm", ["x", b.Weight(1, 4, 4)], Attributes.Of("transA", 1)),
                    "its weight is quantized already" => b.MatMul("x", b.Slice(b.Node("DequantizeLinear", [quantized, b.Scalar(0.1)]), 0, 0, 4)),
                    "it is quantized already" => b.Node("MatMulInteger", [x8, x8]),
                    _ => b.Node("Einsum", ["x", "x"], Attributes.Of("equation", "ij,jk->ik")),
                },
            ];
        });
        Partition partition = Graphs.Partition(model);
        Assert.Empty(partition.Layers);
        Assert.Equal(reason, Assert.Single(partition.Excluded).Reason);
    }

    [Fact]
    public void AWeightMayBeAConstantNodeOrComputedFromConstants()
    {
        using OnnxModel model = Graphs.Model([4, 4], b =>
        {
            string constant = b.Node("Constant", [], Attributes.Of("value", Tensor.Of<float>([1, 2, 3, 4, 5, 6, 7, 8], 4, 2).ToProto("")));
            string turned = b.Transpose(b.Constant(Tensor.Of<float>([1, 2, 3, 4, 5, 6], 3, 2)), [1, 0]);
            return [b.MatMul(b.MatMul("x", b.Node("Identity", [constant])), turned)];
        });
        Partition partition = Graphs.Partition(model);
        Layer[] layers = [.. partition.Layers];
        Assert.Equal([[4, 2], [2, 3]], layers.Select(l => l.WeightShape!));
        Assert.Equal([8, 6], layers.Select(l => l.Parameters));
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], Weights.Read(model, partition.View, layers[0].Weight)!.Values<float>().ToArray());
        Assert.Equal([1, 3, 5, 2, 4, 6], Weights.Read(model, partition.View, layers[1].Weight)!.Values<float>().ToArray());
        Assert.Null(Weights.Read(model, partition.View, "x"));
    }

    [Fact]
    public void UnnamedAndEquallyNamedLayersAreCalledByTheirOutput()
    {
        using OnnxModel model = Graphs.Model([4, 4], b => [b.MatMul(b.MatMul(b.MatMul("x", b.Weight(1, 4, 4)), b.Weight(2, 4, 4)), b.Weight(3, 4, 4))]);
        NodeProto[] nodes = [.. model.Graph.Node];
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        (nodes[0].Name, nodes[1].Name, nodes[2].Name) = ("twice", "twice", "");
        Assert.Equal(nodes.Select(n => n.Output[0]), Partitioner.Partition(model, types).Layers.Select(l => l.Name));
    }

    [Fact]
    public void ALinearOperatorWithoutItsInputsIsAnErrorOfTheModel()
    {
        using OnnxModel model = Graphs.Model([4, 4], b => [b.MatMul("x", "x")]);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        model.Graph.Node[0].Input.RemoveAt(1);
        var error = Assert.Throws<MixedPrecisionException>(() => Partitioner.Partition(model, types));
        Assert.Equal(Codes.GraphInvalid, error.Diagnostic.Code);
    }

    [Theory]
    [InlineData("GRU", 3, "ONNX Runtime runs this recurrent operator in float only")]
    [InlineData("RNN", 1, "ONNX Runtime runs this recurrent operator in float only")]
    [InlineData("LSTM", 4, null)]
    public void OfRecurrentOperatorsLstmIsALayer(string kind, int gates, string? reason)
    {
        using OnnxModel model = Graphs.Model([5, 1, 4], b => [b.Node(kind, ["x", b.Weight(1, 1, gates * 3, 4), b.Weight(2, 1, gates * 3, 3)], Attributes.Of("hidden_size", 3))]);
        Partition partition = Graphs.Partition(model);
        Assert.Equal(reason, partition.Excluded.SingleOrDefault()?.Reason);
        Layer[] layers = [.. partition.Layers];
        Assert.Equal(reason is null ? 1 : 0, layers.Length);
        Assert.All(layers, l => Assert.Equal((12 * 4) + (12 * 3), l.Parameters));
        Assert.All(layers, l => Assert.Equal([[1, 12, 4], [1, 12, 3]], l.ByWeight.Select(w => w.WeightShape!)));
    }

    [Fact]
    public void AnLstmWithAComputedWeightIsNoLayer()
    {
        using OnnxModel model = Graphs.Model([5, 1, 4], b => [b.Node("LSTM", ["x", b.Weight(1, 1, 12, 4), b.Mul(b.Weight(2, 1, 12, 3), b.Node("ReduceMax", ["x"])),], Attributes.Of("hidden_size", 3))]);
        Partition partition = Graphs.Partition(model);
        Assert.Equal("its weight is not constant", Assert.Single(partition.Excluded).Reason);
        Assert.Empty(partition.Layers);
    }

    [Fact]
    public void FunctionsThatCallEachOtherInACircleEnd()
    {
        using OnnxModel model = Graphs.Model([4, 4], b => [b.Neg("x")]);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        foreach ((string name, string callee) in new[] { ("f", "g"), ("g", "f") })
        {
            var function = new FunctionProto { Name = name, Domain = "own" };
            function.Node.Add(new NodeProto { OpType = callee, Domain = "own" });
            function.Node.Add(new NodeProto { OpType = name == "g" ? "MatMul" : "Relu" });
            model.Proto.Functions.Add(function);
        }

        (model.Graph.Node[0].OpType, model.Graph.Node[0].Domain) = ("f", "own");
        Excluded excluded = Assert.Single(Partitioner.Partition(model, types).Excluded);
        Assert.Contains("holds MatMul", excluded.Reason);
    }

    /// <summary>Random graphs of layers and others, some with two outputs, against reachability by the definition.</summary>
    [Fact]
    public void TheBoundariesAreTheCutsOfTheDefinition() => Gen.Int[0, 1_000_000].Sample(
        seed =>
        {
            using OnnxModel model = RandomGraph.Model(seed);
            Partition partition = Partitioner.Partition(model, RandomGraph.Types(model));
            PartitionChecks.Sequential(partition);
            Assert.Equal(RandomGraph.LayersBetweenCuts(partition), partition.Subgraphs.Select(s => string.Join(' ', s.Layers.Select(l => l.Node).Order())));
        },
        iter: 300);

    [Fact]
    public void FiftyThousandNodesTakeSeconds()
    {
        using OnnxModel model = RandomGraph.Deep(50_000);
        IReadOnlyDictionary<string, TensorType> types = RandomGraph.Types(model);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        Partition partition = Partitioner.Partition(model, types);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 20);
        Assert.Equal(12_500, partition.Subgraphs.Count);
        TestContext.Current.TestOutputHelper?.WriteLine($"{watch.Elapsed.TotalSeconds:F2} s");
    }

    private static IEnumerable<string> Operators(Partition partition, int subgraph) => partition.Subgraphs[subgraph].Nodes.Select(n => partition.View.Nodes[n].OpType);
}
