using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>Forms of attention operators for which ONNX Runtime has no CPU kernel to compare with.</summary>
public class AttentionFormTests
{
    /// <summary>Keys and values packed into one operand give what they give apart.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void PackedOperandsAreTakenApart(bool queryToo)
    {
        long[] shape = queryToo ? [2, 3, 2, 3, 4] : [2, 3, 2, 2, 4];
        int parts = queryToo ? 3 : 2;
        Tensor packed = Random(1, shape);
        Tensor query = Random(2, 2, 3, 8);
        IReadOnlyDictionary<string, Tensor> together = Run(queryToo ? ["packed"] : ["query", "packed"], new() { ["packed"] = packed, ["query"] = query });
        Tensor Part(int index)
        {
            float[] all = packed.Values<float>().ToArray();
            return Tensor.Of<float>(Enumerable.Range(0, 48).Select(i => all[(((i / 4 * parts) + index) * 4) + (i % 4)]).ToArray(), 2, 3, 8);
        }

        Tensor[] apart = queryToo ? [Part(0), Part(1), Part(2)] : [query, Part(0), Part(1)];
        IReadOnlyDictionary<string, Tensor> separate = Run(["q", "k", "v"], new() { ["q"] = apart[0], ["k"] = apart[1], ["v"] = apart[2] });
        Assert.Equal(separate["y"].Values<float>().ToArray(), together["y"].Values<float>().ToArray(), (e, a) => Math.Abs(e - a) < 1e-6);
    }

    [Theory]
    [InlineData("Attention", "com.microsoft", "do_rotary")]
    [InlineData("GroupQueryAttention", "com.microsoft", "sliding_window_cache")]
    [InlineData("RotaryEmbedding", "com.microsoft", "is_packed_batching")]
    [InlineData("Attention", "", "left_window_size")]
    public void AFormThatIsNotKnownStaysAsItIs(string operatorType, string domain, string attribute)
    {
        using OnnxModel model = TestModels.Of(["x"], ["y"], b => b.NodeTo(["y"], operatorType, domain, ["x", "x", "x", "", "", "x", "x"], Attributes.Of(attribute, 1)), opset: 23, rank: 3);
        using OnnxModel lowered = GraphLowering.Lower(model, new Dictionary<string, TensorType> { ["x"] = TensorType.Read(model.Graph.Input[0].Type) });
        Assert.Equal([operatorType], lowered.Graph.Node.Select(n => n.OpType));
    }

    private static IReadOnlyDictionary<string, Tensor> Run(string[] operands, Dictionary<string, Tensor> inputs)
    {
        var node = new NodeProto { OpType = "MultiHeadAttention", Domain = "com.microsoft" };
        node.Input.AddRange(operands);
        node.Output.Add("y");
        node.Attribute.Add(Attributes.Of("num_heads", 2));
        var graph = new GraphProto { Name = "attention" };
        graph.Node.Add(node);
        graph.Input.AddRange(operands.Select(o => TensorType.Of(inputs[o]).ToProto(o)));
        graph.Output.Add(new ValueInfoProto { Name = "y" });
        var proto = new ModelProto { IrVersion = 8, Graph = graph };
        proto.OpsetImport.Add(new OperatorSetIdProto { Version = 21 });
        proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "com.microsoft", Version = 1 });
        using var model = new OnnxModel(proto, "", "attention");
        using OnnxModel lowered = GraphLowering.Lower(model, operands.ToDictionary(o => o, o => TensorType.Of(inputs[o])));
        using Session session = Session.Create(lowered.Proto, SessionSettings.Plain);
        return session.Run(inputs);
    }

    private static Tensor Random(int seed, params long[] shape)
    {
        var random = new Random(seed);
        return Tensor.Of<float>(Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)Values.Normal(random)).ToArray(), shape);
    }
}
