using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Tests.Partitioning;

public class ExtractionTests
{
    /// <summary>Concrete sizes of the open dimensions of each model's inputs.</summary>
    private static readonly Dictionary<string, long[]> Sizes = new()
    {
        ["docarea"] = [2, 7],
        ["doclm"] = [1, 24],
        ["textline-orientation"] = [2, 3, 80, 160],
        ["yolox-nano"] = [1, 3, 416, 416],
        ["ppocr-det"] = [1, 3, 64, 96],
        ["silero-vad"] = [1, 576],
        ["ppocr-rec"] = [1, 3, 48, 64],
    };

    [Theory]
    [InlineData("docarea")]
    [InlineData("doclm")]
    [InlineData("textline-orientation")]
    [InlineData("yolox-nano")]
    [InlineData("ppocr-det")]
    [InlineData("silero-vad")]
    [InlineData("ppocr-rec")]
    public void TheSubgraphsInTurnComputeWhatTheModelComputes(string name)
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model(name));
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        Dictionary<string, Tensor> values = model.Inputs.ToDictionary(i => i.Name, i => Input(i, Sizes[name]));
        using Session whole = Session.Create(model.Proto, SessionSettings.Plain);
        IReadOnlyDictionary<string, Tensor> expected = whole.Run(values);
        foreach (Subgraph subgraph in partition.Subgraphs)
        {
            ExtractedSubgraph extracted = Extraction.Extract(model, partition, types, subgraph.Nodes, new ExtractionOptions(WeightsAsInputs: subgraph.Index % 2 == 0));
            foreach (string weight in extracted.Weights)
            {
                values[weight] = Weights.Read(model, partition.View, weight)!;
            }

            using Session session = Session.Create(extracted.Model, SessionSettings.Plain);
            foreach ((string value, Tensor tensor) in session.Run(values))
            {
                values[value] = tensor;
            }
        }

        foreach ((string output, Tensor tensor) in expected)
        {
            Assert.Equal(tensor.Shape, values[output].Shape);
            Near(tensor, values[output]);
        }
    }

    [Fact]
    public void TheCanonicalFormOfADecoderBlockComputesTheSame()
    {
        using OnnxModel model = OnnxModel.Load(SharedFolder.Model("doclm"));
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        Subgraph subgraph = partition.Subgraphs[4];
        ExtractedSubgraph extracted = Extraction.Extract(model, partition, types, subgraph.Timed);
        CanonicalSubgraph canonical = Extraction.Canonical(model, partition, types, subgraph.Timed);
        Assert.Equal(extracted.Inputs.Order(), canonical.Extracted.Inputs.Select(i => canonical.Originals[i]).Order());
        Assert.Equal(extracted.Outputs.Order(), canonical.Extracted.Outputs.Select(o => canonical.Originals[o]).Order());

        // What enters, computed by the model itself.
        ModelProto probe = model.Proto.Clone();
        probe.Graph.Output.Clear();
        probe.Graph.Output.AddRange(extracted.Inputs.Select(i => new ValueInfoProto { Name = i }));
        using Session before = Session.Create(probe, SessionSettings.Plain);
        IReadOnlyDictionary<string, Tensor> entering = before.Run(model.Inputs.ToDictionary(i => i.Name, i => Input(i, Sizes["doclm"])));

        using Session own = Session.Create(extracted.Model, SessionSettings.Plain);
        using Session shared = Session.Create(canonical.Extracted.Model, SessionSettings.Plain);
        IReadOnlyDictionary<string, Tensor> expected = own.Run(entering);
        IReadOnlyDictionary<string, Tensor> actual = shared.Run(canonical.Originals.Where(o => !expected.ContainsKey(o.Value) && shared.Inputs.Contains(o.Key))
            .ToDictionary(o => o.Key, o => entering.TryGetValue(o.Value, out Tensor? t) ? t : Weights.Read(model, partition.View, o.Value)!));
        foreach ((string output, Tensor tensor) in actual)
        {
            Near(expected[canonical.Originals[output]], tensor);
        }
    }

    [Fact]
    public void ConstantsComeAlongAndFurtherOutputsAreAdded()
    {
        using OnnxModel model = Graphs.Model([2, 4], b => [b.Relu(b.Neg(b.MatMul("x", b.Transpose(b.Weight(1, 300, 4), [1, 0]))))]);
        IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
        Partition partition = Partitioner.Partition(model, types);
        Layer layer = Assert.Single(partition.Layers);
        int[] nodes = [.. Enumerable.Range(0, partition.View.Nodes.Count).Where(n => partition.View.Nodes[n].OpType is "MatMul" or "Neg")];
        ExtractedSubgraph plain = Extraction.Extract(model, partition, types, nodes);
        Assert.Equal(["Transpose", "MatMul", "Neg"], plain.Model.Graph.Node.Select(n => n.OpType));
        Assert.Equal(["x"], plain.Inputs);
        Assert.Single(plain.Outputs);
        ExtractedSubgraph further = Extraction.Extract(model, partition, types, nodes, new ExtractionOptions(WeightsAsInputs: true, [layer.Output]));
        Assert.Contains(layer.Output, further.Outputs);
        Assert.Single(further.Weights);
        Assert.Empty(further.Model.Graph.Initializer);
    }

    private static Tensor Input(ValueInfoProto input, long[] sizes)
    {
        TensorType type = TensorType.Read(input.Type);
        long[] shape = [.. type.Shape!.Select((d, i) => d.Size ?? (input.Name == "state" ? 1 : sizes[i]))];
        var random = new Random(7);
        int count = (int)Tensor.ElementCount(shape);
        return type.ElementType == ElementType.Float ? Tensor.Of<float>([.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)], shape)
            : input.Name == "sr" ? Tensor.Of<long>([16000], shape)
            : input.Name == "attention_mask" ? Tensor.Of<long>([.. Enumerable.Repeat(1L, count)], shape)
            : Tensor.Of<long>([.. Enumerable.Range(0, count).Select(_ => random.NextInt64(1, 200))], shape);
    }

    /// <summary>Equal but for the rounding of float sums: optimizations that cross a cut may add in another order.</summary>
    private static void Near(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.ElementType, actual.ElementType);
        ReadOnlySpan<float> x = expected.Values<float>(), y = actual.Values<float>();
        float scale = 1e-6f;
        foreach (float value in x)
        {
            scale = Math.Max(scale, Math.Abs(value));
        }

        for (int i = 0; i < x.Length; i++)
        {
            Assert.InRange(y[i], x[i] - (1e-4f * scale), x[i] + (1e-4f * scale));
        }
    }
}
