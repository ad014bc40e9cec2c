using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Tests.Partitioning;

public class RealModelTests
{
    [Fact]
    public void DoclmHasFourSubgraphsABlockAndTheHead()
    {
        Partition partition = Of("doclm");
        string[] block = ["q_proj, k_proj, v_proj, q·k, a·v", "o_proj", "gate_proj, up_proj", "down_proj"];
        Assert.Equal([.. Enumerable.Repeat(block, 6).SelectMany(b => b), "lm_head"], Roles(partition));
        AssertEqualBlocks(partition, blocks: 6);
        Assert.Equal(5, partition.Subgraphs.Select(s => s.Fingerprint).Distinct().Count());
    }

    [Fact]
    public void DocareaHasFourSubgraphsABlock()
    {
        Partition partition = Of("docarea");
        string[] block = ["query, key, value, q·k, a·v", "output", "intermediate", "dense"];
        Assert.Equal([.. Enumerable.Repeat(block, 4).SelectMany(b => b), "pooler", "classifier"], Roles(partition));

        // The last block's own last sub-graph ends in the pooled mean instead of a normalization for the next block.
        AssertEqualBlocks(partition, blocks: 4, lastDiffersIn: 3);
        Assert.Equal(["/word/Gather", "/position/Gather"], partition.Excluded.Select(e => e.Name));
    }

    [Theory]
    [InlineData("docarea", "MatMul 24, Gemm 2, ActivationMatMul 8")]
    [InlineData("doclm", "MatMul 43, ActivationMatMul 12")]
    [InlineData("textline-orientation", "MatMul 1, Conv 32")]
    [InlineData("yolox-nano", "Conv 113")]
    [InlineData("ppocr-det", "Conv 72, ConvTranspose 2")]
    [InlineData("silero-vad", "Conv 6")]
    [InlineData("ppocr-rec", "MatMul 9, ActivationMatMul 4, Conv 38")]
    public void EveryNodeAndLayerIsInOneSubgraphAndDataFlowsForward(string name, string layers)
    {
        Partition partition = Of(name);
        Assert.Equal(layers, string.Join(", ", partition.Layers.CountBy(l => l.Kind).OrderBy(c => c.Key).Select(c => $"{c.Key} {c.Value}")));
        Assert.Equal(partition.Layers.Count(), partition.Layers.Select(l => l.Name).Distinct().Count());
        Assert.All(partition.Layers, l => Assert.Equal(l.HasWeight, l.Parameters > 0));
        PartitionChecks.Sequential(partition);
    }

    [Fact]
    public void LayersInsideOfBranchesAreNamedWithTheirReason()
    {
        Excluded[] recurrent = [.. Of("silero-vad").Excluded];
        Assert.Equal(2, recurrent.Length);
        Assert.All(recurrent, e => Assert.Equal("LSTM", e.Operator));
        Assert.All(recurrent, e => Assert.StartsWith("it stands inside of the If '/model/decoder/If_1'", e.Reason));
    }

    private static void AssertEqualBlocks(Partition partition, int blocks, int lastDiffersIn = -1)
    {
        for (int role = 0; role < 4; role++)
        {
            string[] prints = [.. Enumerable.Range(0, blocks).Select(b => partition.Subgraphs[(4 * b) + role].Fingerprint)];
            Assert.Single((role == lastDiffersIn ? prints.SkipLast(1) : prints).Distinct());
        }
    }

    private static Partition Of(string name)
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model(name));
        return Partitioner.Partition(model, TypeInference.Infer(model));
    }

    private static string[] Roles(Partition partition) => [.. partition.Subgraphs.Select(s => string.Join(", ", s.Layers.Select(Role)))];

    private static string Role(Layer layer) => layer.Kind != LayerKind.ActivationMatMul ? layer.Name.Split('/')[^2]
        : layer.Name.EndsWith("_1", StringComparison.Ordinal) ? "a·v" : "q·k";
}
