using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>Pieces of models as exporters and ONNX Runtime's own tools write them.</summary>
public class ExportedModelTests
{
    /// <summary>As ONNX Runtime's model builder writes a Llama: packed q, k and v, rotation and grouped heads within GroupQueryAttention, sums handed on by the norms.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void DecoderBlockOfTheModelBuilder(int past)
    {
        var model = new ExportedModel(1);
        GraphBuilder b = model.B;
        const int Rows = 4;
        int rows = past == 0 ? Rows : 1;
        string hidden = model.Float("hidden", false, 1, 2, rows, 32);
        string mask = model.Input("attention_mask", Tensor.Of<long>([.. Enumerable.Repeat(1L, 2 * (rows + past))], 2, rows + past));
        string lengths = b.Cast(b.Sub(b.ReduceSum(mask, [1], keepDimensions: true), b.Integers(1)), ElementType.Int32);
        string total = b.Cast(b.Gather(b.Shape(mask), b.Scalar(1, ElementType.Int64), 0), ElementType.Int32);
        string normal = b.Node("SimplifiedLayerNormalization", [hidden, model.Weight("norm", 32)], Attributes.Of("axis", -1), Attributes.Of("epsilon", 1e-5f));
        string packed = b.MatMul(normal, model.Weight("qkv", 32, 64));
        string[] attention = b.NodeTo(
            ["attention", "present_key", "present_value"],
            "GroupQueryAttention",
            "com.microsoft",
            [packed, "", "", model.Float("past_key", false, 1, 2, 1, past, 16), model.Float("past_value", false, 1, 2, 1, past, 16), lengths, total, model.Float("cos", true, 1, 16, 8), model.Float("sin", true, 1, 16, 8)],
            Attributes.Of("num_heads", 2),
            Attributes.Of("kv_num_heads", 1),
            Attributes.Of("do_rotary", 1),
            Attributes.Of("scale", 0.25f));
        string projected = b.MatMul(attention[0], model.Weight("o", 32, 32));
        string[] first = b.NodeTo(["n1", "", "", "s1"], "SkipSimplifiedLayerNormalization", "com.microsoft", [hidden, projected, model.Weight("norm1", 32)], Attributes.Of("epsilon", 1e-5f));
        string gate = b.MatMul(first[0], model.Weight("gate", 32, 48));
        string up = b.MatMul(first[0], model.Weight("up", 32, 48));
        string down = b.MatMul(b.Mul(b.Mul(gate, b.Sigmoid(gate)), up), model.Weight("down", 48, 32));
        string[] second = b.NodeTo(["n2"], "SkipSimplifiedLayerNormalization", "com.microsoft", [first[3], down, model.Weight("norm2", 32)], Attributes.Of("epsilon", 1e-5f));
        model.Check(21, b.MatMul(second[0], model.Weight("head", 32, 20)));
    }

    /// <summary>As ONNX Runtime's transformer optimizer leaves a BERT.</summary>
    [Fact]
    public void OptimizedEncoderBlock()
    {
        var model = new ExportedModel(2);
        GraphBuilder b = model.B;
        string ids = model.Input("input_ids", Tensor.Of<int>([1, 4, 2, 0, 3, 3, 0, 0], 2, 4));
        string segments = model.Input("segment_ids", Tensor.Of<int>([0, 0, 1, 1, 0, 1, 0, 0], 2, 4));
        string mask = model.Input("mask", Tensor.Of<int>([1, 1, 1, 1, 1, 1, 0, 0], 2, 4));
        b.NodeTo(
            ["embedded", "mask_index"],
            "EmbedLayerNormalization",
            "com.microsoft",
            [ids, segments, model.Weight("words", 5, 8), model.Weight("places", 6, 8), model.Weight("kinds", 2, 8), model.Weight("scale0", 8), model.Weight("shift0", 8), mask],
            Attributes.Of("epsilon", 1e-5f));
        string attention = b.MicrosoftNode("Attention", ["embedded", model.Weight("qkv", 8, 24), model.Weight("qkv_bias", 24), "mask_index"], Attributes.Of("num_heads", 2), Attributes.Of("mask_filter_value", -100f));
        string projected = b.MatMul(attention, model.Weight("o", 8, 8));
        b.NodeTo(["n1"], "SkipLayerNormalization", "com.microsoft", [projected, "embedded", model.Weight("scale1", 8), model.Weight("shift1", 8), model.Weight("o_bias", 8)], Attributes.Of("epsilon", 1e-5f));
        string wide = b.MicrosoftNode("BiasGelu", [b.MatMul("n1", model.Weight("up", 8, 16)), model.Weight("up_bias", 16)]);
        string narrow = b.MatMul(wide, model.Weight("down", 16, 8));
        b.NodeTo(["n2"], "SkipLayerNormalization", "com.microsoft", [narrow, "n1", model.Weight("scale2", 8), model.Weight("shift2", 8), model.Weight("down_bias", 8)], Attributes.Of("epsilon", 1e-5f));
        string pooled = b.Tanh(b.Node("Gemm", [b.Gather("n2", b.Scalar(0, ElementType.Int64), 1), model.Weight("pool", 8, 8), model.Weight("pool_bias", 8)]));
        model.Check(17, pooled, b.MicrosoftNode("FastGelu", ["n2", model.Weight("last_bias", 8)]));
    }

    /// <summary>As PyTorch's dynamo exporter writes: functions that call functions, attributes handed down, a softmax guarded against rows of nothing, an update by ScatterND.</summary>
    [Fact]
    public void LocalFunctions()
    {
        var model = new ExportedModel(3);
        GraphBuilder b = model.B;
        FunctionProto linear = Function("linear", ["x", "w", "bias"], "y", f => f.Add(f.MatMul("x", f.Transpose("w", [1, 0])), "bias"));
        FunctionProto attend = Function("attend", ["q", "k", "v", "mask"], "y", f =>
        {
            string scores = f.Where("mask", f.MatMul("q", f.Transpose("k", [0, 2, 1])), f.Scalar(double.NegativeInfinity));
            var axis = new AttributeProto { Name = "axis", RefAttrName = "dim", Type = 2 };
            string weights = f.Node("Softmax", [scores], axis);
            return f.MatMul(f.Where(f.Node("IsNaN", [weights]), f.Scalar(0), weights), "v");
        });
        attend.Attribute.Add("dim");
        FunctionProto block = Function("block", ["x", "wq", "wk", "wv", "bias", "mask"], "y", f =>
        {
            string Linear(string weight) => f.NodeTo([f.Fresh("linear")], "linear", "pkg.torch", ["x", weight, "bias"])[0];
            return f.NodeTo([f.Fresh("attended")], "attend", "pkg.torch", [Linear("wq"), Linear("wk"), Linear("wv"), "mask"], Attributes.Of("dim", -1))[0];
        });
        model.Proto.Functions.AddRange([linear, attend, block]);
        model.Proto.OpsetImport.Add(new OperatorSetIdProto { Domain = "pkg.torch", Version = 1 });
        string x = model.Float("x", false, 1, 2, 3, 4);

        // The second row may read nothing.
        string mask = model.Input("mask", Tensor.Of<bool>([true, true, false, false, false, false, true, true, true], 3, 3));
        string attended = b.NodeTo(["attended"], "block", "pkg.torch", [x, model.Weight("wq", 4, 4), model.Weight("wk", 4, 4), model.Weight("wv", 4, 4), model.Weight("bias", 4), mask])[0];
        string updated = b.Node("ScatterND", [x, b.Constant(Tensor.Of<long>([0, 1, 1, 2], 2, 2)), model.Float("update", true, 1, 2, 4)]);
        model.Check(18, b.Add(attended, updated));
    }

    /// <summary>A decoder with and without a past in the branches of one If, which read weights from outside.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void MergedDecoder(bool cached)
    {
        var model = new ExportedModel(4);
        GraphBuilder b = model.B;
        string use = model.Input("use_cache", Tensor.Scalar(cached));
        string x = model.Float("x", false, 1, 1, 3, 8);
        string encoded = model.Float("encoded", false, 1, 1, 5, 8);
        string pastKey = model.Float("past_key", false, 1, 1, 2, 5, 4);
        string pastValue = model.Float("past_value", false, 1, 1, 2, 5, 4);
        string[] weights = [model.Weight("wq", 8, 8), model.Weight("wk", 8, 8), model.Weight("wv", 8, 8), model.Weight("wo", 8, 8)];
        GraphProto Branch(string name, bool past)
        {
            var inner = new GraphBuilder(["loss", x, encoded, pastKey, pastValue, .. weights], name + "/");
            string Heads(string value) => inner.Transpose(inner.Reshape0(value, 0, 0, 2, 4), [0, 2, 1, 3]);
            string query = Heads(inner.MatMul(x, weights[0]));
            string key = past ? inner.Node("Identity", [pastKey]) : Heads(inner.MatMul(encoded, weights[1]));
            string value = past ? inner.Node("Identity", [pastValue]) : Heads(inner.MatMul(encoded, weights[2]));
            string scores = inner.Mul(inner.MatMul(query, inner.Transpose(key, [0, 1, 3, 2])), inner.Scalar(0.5));
            string joined = inner.Reshape0(inner.Transpose(inner.MatMul(inner.Node("Softmax", [scores], Attributes.Of("axis", -1)), value), [0, 2, 1, 3]), 0, 0, 8);
            string result = inner.Add(inner.MatMul(joined, weights[3]), inner.Mul(x, inner.Scalar(past ? 2 : 1)));
            var graph = new GraphProto { Name = name };
            inner.AppendTo(graph);
            graph.Output.AddRange(new[] { result, key, value }.Select(o => new ValueInfoProto { Name = o }));
            return graph;
        }

        string[] results = b.NodeTo(["decoded", "key", "value"], "If", "", [use], Attributes.Of("then_branch", Branch("then", true)), Attributes.Of("else_branch", Branch("else", false)));

        // What the branch that is not taken reads takes part in the loss beside it, so that no gradient is zero.
        string beside = b.Concat(0, [.. ((string[])[encoded, pastKey, pastValue, .. weights]).Select(b.Vector)]);
        model.Check(16, b.Tanh(results[0]), results[1], results[2], beside);
    }

    /// <summary>As tf2onnx writes NHWC convolutions: Transposes around each, SAME pads of sizes that are not known, a one-dimensional convolution by Squeeze.</summary>
    [Fact]
    public void ConvolutionsOfChannelsLast()
    {
        var model = new ExportedModel(5);
        GraphBuilder b = model.B;
        string x = model.Float("x", false, 1, 1, 7, 6, 2);
        string planes = b.Transpose(b.Node("Pad", [x, b.Integers(0, 1, 1, 0, 0, 0, 1, 0)]), [0, 3, 1, 2]);
        string first = b.Node("Conv", [planes, model.Weight("w1", 3, 2, 3, 3), model.Weight("b1", 3)], Attributes.Of("strides", [2, 2]), Attributes.Of("kernel_shape", [3, 3]));
        string relu = b.Transpose(b.Node("Clip", [first, b.Scalar(-3), b.Scalar(3)]), [0, 2, 3, 1]);
        string biased = b.Add(relu, model.Weight("b2", 3));
        string depthwise = b.Node(
            "Conv", [b.Transpose(biased, [0, 3, 1, 2]), model.Weight("w2", 3, 1, 3, 3)], Attributes.Of("auto_pad", "SAME_UPPER"), Attributes.Of("group", 3), Attributes.Of("strides", [2, 2]), Attributes.Of("kernel_shape", [3, 3]));
        string pooled = b.Node("AveragePool", [depthwise], Attributes.Of("auto_pad", "SAME_UPPER"), Attributes.Of("kernel_shape", [2, 2]));
        string rows = b.Reshape0(b.Transpose(pooled, [0, 2, 3, 1]), 1, -1, 3);
        string line = b.Squeeze(b.Node("Conv", [b.Unsqueeze(b.Transpose(rows, [0, 2, 1]), 2), model.Weight("w3", 4, 3, 1, 2)], Attributes.Of("auto_pad", "SAME_LOWER"), Attributes.Of("kernel_shape", [1, 2])), 2);
        model.Check(13, b.Transpose(line, [0, 2, 1]));
    }

    /// <summary>Windows of a Swin block, rolled by slices, after positions that were resized by cubics.</summary>
    [Fact]
    public void ShiftedWindows()
    {
        var model = new ExportedModel(6);
        GraphBuilder b = model.B;
        string x = model.Float("x", false, 1, 1, 4, 4, 8);
        string positions = b.Node(
            "Resize", [model.Float("positions", true, 1, 1, 8, 3, 3), "", "", b.Integers(1, 8, 4, 4)], Attributes.Of("mode", "cubic"), Attributes.Of("coordinate_transformation_mode", "pytorch_half_pixel"), Attributes.Of("cubic_coeff_a", -0.75f));
        string placed = b.Add(x, b.Transpose(positions, [0, 2, 3, 1]));
        string Rolled(string value, long axis, long by) => b.Concat(axis, b.Slice(value, axis, by, long.MaxValue), b.Slice(value, axis, 0, by));
        string rolled = Rolled(Rolled(placed, 1, 1), 2, 1);
        string windows = b.Reshape0(b.Transpose(b.Reshape0(rolled, 0, 2, 2, 2, 2, 8), [0, 1, 3, 2, 4, 5]), -1, 4, 8);
        string normal = b.Node("LayerNormalization", [windows, model.Weight("scale", 8), model.Weight("shift", 8)], Attributes.Of("axis", -1));
        string[] parts = [.. b.NodeWithOutputs("Split", 3, [b.Transpose(b.Reshape0(b.MatMul(normal, model.Weight("qkv", 8, 24)), 0, 0, 3, 2, 4), [2, 0, 3, 1, 4])], Attributes.Of("axis", 0)).Select(p => b.Squeeze(p, 0))];
        string scores = b.Add(b.MatMul(b.Mul(parts[0], b.Scalar(0.5)), b.Transpose(parts[1], [0, 1, 3, 2])), b.Unsqueeze(model.Weight("bias", 2, 4, 4), 0));
        string attended = b.MatMul(b.Node("Softmax", [scores], Attributes.Of("axis", -1)), parts[2]);
        string joined = b.MatMul(b.Reshape0(b.Transpose(attended, [0, 2, 1, 3]), 0, 0, 8), model.Weight("o", 8, 8));
        string back = b.Reshape0(b.Transpose(b.Reshape0(joined, -1, 2, 2, 2, 2, 8), [0, 1, 3, 2, 4, 5]), -1, 4, 4, 8);
        string unrolled = Rolled(Rolled(back, 1, 3), 2, 3);
        string half = b.Mul(b.Mul(unrolled, b.Scalar(0.5)), b.Add(b.Erf(b.Mul(unrolled, b.Scalar(Math.Sqrt(0.5)))), b.Scalar(1)));
        model.Check(17, b.Add(placed, half));
    }

    /// <summary>Lists of tensors, as scripts that are exported split, change and stack them.</summary>
    [Fact]
    public void ListsOfTensors()
    {
        var model = new ExportedModel(7);
        GraphBuilder b = model.B;
        string x = model.Float("x", true, 1, 2, 5, 3);
        string At(string sequence, long index) => b.Node("SequenceAt", [sequence, b.Scalar(index, ElementType.Int64)]);
        string chunks = b.Node("SplitToSequence", [x, b.Scalar(2, ElementType.Int64)], Attributes.Of("axis", 1));
        string rows = b.Node("SplitToSequence", [x], Attributes.Of("axis", -2), Attributes.Of("keepdims", 0));
        string parts = b.Node("SplitToSequence", [x, b.Integers(1, 4)], Attributes.Of("axis", 1));
        string list = b.Node("SequenceInsert", [b.Node("SequenceEmpty", []), b.Exp(At(rows, 0))]);
        list = b.Node("SequenceInsert", [list, b.Sin(At(rows, -2)), b.Scalar(0, ElementType.Int64)]);
        list = b.Node("SequenceErase", [b.Node("SequenceInsert", [list, At(rows, 2)]), b.Scalar(-1, ElementType.Int64)]);
        string stacked = b.Node("ConcatFromSequence", [list], Attributes.Of("axis", 1), Attributes.Of("new_axis", 1));
        string joined = b.Node("ConcatFromSequence", [b.Node("SequenceConstruct", [At(chunks, 2), b.Tanh(At(parts, 1))])], Attributes.Of("axis", 1));
        model.Check(17, stacked, joined, At(chunks, 0));
    }

    private static FunctionProto Function(string name, string[] inputs, string output, Func<GraphBuilder, string> body)
    {
        var builder = new GraphBuilder([.. inputs, output]);
        builder.NodeTo([output], "Identity", "", [body(builder)]);
        var function = new FunctionProto { Name = name, Domain = "pkg.torch" };
        function.Input.AddRange(inputs);
        function.Output.Add(output);
        foreach ((string constant, Tensor value) in builder.Constants)
        {
            var node = new NodeProto { OpType = "Constant" };
            node.Output.Add(constant);
            node.Attribute.Add(Attributes.Of("value", value.ToProto("")));
            function.Node.Add(node);
        }

        function.Node.AddRange(builder.Nodes);
        function.OpsetImport.Add(new OperatorSetIdProto { Version = 18 });
        function.OpsetImport.Add(new OperatorSetIdProto { Domain = "pkg.torch", Version = 1 });
        return function;
    }
}
