using CsCheck;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Tests.Partitioning;

public class FingerprintTests
{
    [Fact]
    public void NamesAndTheOrderOfTheFileDoNotShow()
    {
        for (int seed = 0; seed < 1000; seed++)
        {
            using OnnxModel model = RandomGraph.Model(seed);
            using OnnxModel renamed = Renamed(model, seed);
            Partition partition = Partitioner.Partition(model, RandomGraph.Types(model));
            Partition other = Partitioner.Partition(renamed, RandomGraph.Types(renamed));
            Assert.Equal(partition.Subgraphs.Select(s => s.Fingerprint), other.Subgraphs.Select(s => s.Fingerprint));
        }
    }

    [Theory]
    [InlineData("float weight", false)]
    [InlineData("documentation", false)]
    [InlineData("attribute", true)]
    [InlineData("size of a weight", true)]
    [InlineData("size of the input", true)]
    [InlineData("integer constant", true)]
    [InlineData("exponent", true)]
    [InlineData("operator", true)]
    [InlineData("operator set", true)]
    [InlineData("operand", true)]
    public void AChangeOfStructureShowsAndAChangeOfWeightsDoesNot(string change, bool shows)
    {
        using OnnxModel before = Example("");
        using OnnxModel after = Example(change);
        if (change == "documentation")
        {
            after.Graph.Node[0].DocString = "says nothing";
        }

        string[] Prints(OnnxModel model) => [.. Graphs.Partition(model).Subgraphs.Select(s => s.Fingerprint)];
        Assert.Equal(shows, !Prints(before).SequenceEqual(Prints(after)));
    }

    [Fact]
    public void EqualSubgraphsGiveTheSameCanonicalBytesUnderTheirOwnWeights()
    {
        using OnnxModel model = Graphs.Model([2, 8], b =>
        {
            string value = "x";
            for (int block = 0; block < 3; block++)
            {
                value = b.Relu(b.Add(b.MatMul(value, b.Weight(2 * block, 8, 8)), b.Weight((2 * block) + 1, 8)));
            }

            return [value];
        });
        var types = MixedPrecision.Execution.TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        CanonicalSubgraph[] forms = [.. partition.Subgraphs.Select(s => Extraction.Canonical(model, partition, types, s.Timed))];
        Assert.Equal(3, forms.Length);
        Assert.Single(forms.Select(f => f.Extracted.Model.ToString()).Distinct());
        Assert.Equal(3, forms.Select(f => f.Originals[f.Extracted.Weights[0]]).Distinct().Count());
        Assert.Equal(partition.Subgraphs[1].Entry, forms[1].Originals[Assert.Single(forms[1].Extracted.Inputs)]);
        Assert.Equal(partition.Subgraphs[1].Exit, forms[1].Originals[Assert.Single(forms[1].Extracted.Outputs)]);
    }

    private static OnnxModel Example(string change) => Graphs.Model(
        [change == "size of the input" ? 5 : 4, 8],
        b =>
        {
            int width = change == "size of a weight" ? 6 : 12;
            string y = b.MatMul("x", b.Weight(change == "float weight" ? 2 : 1, 8, width));
            string squared = b.Node("Pow", [y, b.Constant(Tensor.Of<float>([change == "exponent" ? 3 : 2], 1))]);
            string turned = b.Reshape(b.Transpose(squared, change == "attribute" ? [0, 1] : [1, 0]), b.Integers(change == "integer constant" ? [1, -1] : [-1, 1]));
            string active = b.Node(change == "operator" ? "Sigmoid" : "Tanh", [turned]);
            return [b.Sub(active, change == "operand" ? active : turned)];
        },
        change == "operator set" ? 16 : 17);

    /// <summary>Every value and node under another name, the nodes in another topological order.</summary>
    private static OnnxModel Renamed(OnnxModel model, int seed)
    {
        var random = new Random(seed);
        var names = new Dictionary<string, string>();
        string Rename(string name) => names.TryGetValue(name, out string? known) ? known : names[name] = $"n{random.NextInt64():x}";
        ModelProto proto = model.Proto.Clone();
        foreach (ValueInfoProto value in proto.Graph.Input.Concat(proto.Graph.Output))
        {
            value.Name = Rename(value.Name);
        }

        foreach (TensorProto tensor in proto.Graph.Initializer)
        {
            tensor.Name = Rename(tensor.Name);
        }

        NodeProto[] shuffled = [.. proto.Graph.Node];
        random.Shuffle(shuffled);
        foreach (NodeProto node in shuffled)
        {
            string[] inputs = [.. node.Input.Select(Rename)], outputs = [.. node.Output.Select(Rename)];
            node.Input.Clear();
            node.Input.AddRange(inputs);
            node.Output.Clear();
            node.Output.AddRange(outputs);
            node.Name = Rename(node.Name);
        }

        proto.Graph.Node.Clear();
        proto.Graph.Node.AddRange(shuffled);
        return Graphs.Reload(proto);
    }
}
