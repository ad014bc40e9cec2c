using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>Attention of encoders as exporters write it.</summary>
internal static class EncoderForms
{
    private const int Width = EncoderModel.Width;
    private const int Heads = EncoderModel.Heads;
    private const int HeadSize = EncoderModel.HeadSize;
    private static readonly double Root = Math.Sqrt(HeadSize);

    public static readonly IReadOnlyDictionary<string, EncoderForm> All = new Dictionary<string, EncoderForm>
    {
        ["TorchScript, BERT"] = new(17, HasMask: true, m => Bert(m, float.MinValue)),
        ["TorchScript, BERT of opset 12"] = new(12, HasMask: true, m => Bert(m, -10000)),
        ["TorchScript, DistilBERT"] = new(14, HasMask: true, m => DistilBert(m, float.MinValue)),
        ["TorchScript, DistilBERT with infinity"] = new(14, HasMask: true, m => DistilBert(m, float.NegativeInfinity)),
        ["TorchScript, scaled_dot_product_attention"] = new(17, HasMask: true, ScaledProduct),
        ["TorchScript, ViT"] = new(17, HasMask: false, m => Bert(m, null)),
        ["TorchScript, Whisper with bmm"] = new(14, HasMask: false, Whisper),
        ["dynamo, masked"] = new(18, HasMask: true, m => Dynamo(m, isMasked: true)),
        ["dynamo"] = new(18, HasMask: false, m => Dynamo(m, isMasked: false)),
        ["optimized by the runtime"] = new(17, HasMask: true, Fused),
        ["fixed sizes, Gemm"] = new(13, HasMask: false, Gemm, Batch: 2, Sequence: 5),
        ["Attention of opset 23"] = new(23, HasMask: true, m => Operator(m, isJoined: true)),
        ["Attention of opset 24, heads apart"] = new(24, HasMask: false, m => Operator(m, isJoined: false)),
        ["TorchScript, timm's ViT"] = new(17, HasMask: false, m => Packed(m, isSplit: true)),
        ["TorchScript, ModernBERT"] = new(17, HasMask: true, m => Packed(m, isSplit: false)),
        ["TorchScript, chunks"] = new(17, HasMask: false, Chunked),
        ["TorchScript, MultiheadAttention"] = new(17, HasMask: true, PlacesFirst),
        ["tf2onnx"] = new(13, HasMask: true, TensorFlow),
    };

    /// <summary>transformers' BERT before 4.48: (q·kᵀ)/√size + (1 − mask)·fill.</summary>
    public static string Bert(EncoderModel m, float? fill)
    {
        GraphBuilder b = m.B;
        string x = m.Normalized(), q = m.Linear(x), k = m.Linear(x), v = m.Linear(x);
        string keys = m.Divided(k), values = m.Divided(v), queries = m.Divided(q);
        string scores = b.Div(b.MatMul(queries, b.Transpose(keys, [0, 1, 3, 2])), b.Scalar(Root));
        if (fill is float number)
        {
            string wide = b.Cast(m.Unsqueezed(m.Unsqueezed("attention_mask", 1), 2), ElementType.Float);
            scores = b.Add(scores, b.Mul(b.Sub(b.Scalar(1), wide), b.Scalar(number)));
        }

        return m.Joined(b.MatMul(b.Node("Identity", [m.Softmax(scores)]), values));
    }

    /// <summary>transformers' DistilBERT: q/√size before the product; masked_fill of the scores, whose mask is expanded to their shape.</summary>
    public static string DistilBert(EncoderModel m, float fill)
    {
        GraphBuilder b = m.B;
        string x = m.Normalized(), q = m.Linear(x), k = m.Linear(x), v = m.Linear(x);
        string Divided(string value) => b.Transpose(m.Reshaped(value, m.Size(q, 0), b.Integers(-1), b.Integers(Heads), b.Integers(HeadSize)), [0, 2, 1, 3]);
        string queries = b.Div(Divided(q), b.Scalar(Root));
        string scores = b.MatMul(queries, b.Transpose(Divided(k), [0, 1, 3, 2]));
        string hidden = m.Reshaped(b.Equal("attention_mask", b.Constant(Tensor.Scalar(0L))), m.Size(q, 0), b.Integers(1), b.Integers(1), m.Size(k, 1));
        string masked = b.Where(b.Expand(hidden, b.Shape(scores)), b.Scalar(fill), scores);
        string context = b.MatMul(m.Softmax(masked), Divided(v));
        return m.Reshaped(b.Transpose(context, [0, 2, 1, 3]), m.Size(q, 0), b.Integers(-1), b.Integers(Width));
    }

    /// <summary>torch's scaled_dot_product_attention at opset 17: the scale is computed from a shape, and its root is multiplied into both operands; the mask is expanded before.</summary>
    private static string ScaledProduct(EncoderModel m)
    {
        GraphBuilder b = m.B;
        string x = m.Normalized(), q = m.Linear(x), k = m.Linear(x), v = m.Linear(x);
        string queries = m.Divided(q), keys = m.Divided(k), values = m.Divided(v);

        // transformers' _prepare_4d_attention_mask_for_sdpa.
        string wide = m.Unsqueezed(m.Unsqueezed("attention_mask", 1), 2);
        string target = b.Concat(0, m.Size("attention_mask", 0), b.Integers(1), m.Size(x, 1), m.Size("attention_mask", 1));
        string kept = b.Cast(b.Expand(wide, target), ElementType.Float);
        string inverted = b.Sub(b.Scalar(1), kept);
        string mask = b.Where(b.Cast(inverted, ElementType.Bool), b.Scalar(float.MinValue), inverted);

        string size = b.Slice(b.Shape(queries), 0, -1, long.MaxValue);
        string scale = b.Div(b.Constant(Tensor.Of<float>([1], 1)), b.Sqrt(b.Cast(size, ElementType.Float)));
        string root = b.Sqrt(scale);
        string scores = b.Add(b.MatMul(b.Mul(queries, root), b.Mul(b.Transpose(keys, [0, 1, 3, 2]), root)), mask);
        return m.Joined(b.MatMul(m.Softmax(scores), values));
    }

    /// <summary>transformers' Whisper with bmm: the scale on q, no bias on k, batch and heads in one axis.</summary>
    private static string Whisper(EncoderModel m)
    {
        GraphBuilder b = m.B;
        string x = m.Normalized();
        string q = b.Mul(m.Linear(x), b.Scalar(1 / Root)), k = m.Linear(x, hasBias: false), v = m.Linear(x);
        string batch = m.Size(x, 0), places = m.Size(x, 1);
        string Divided(string value) => b.Transpose(m.Reshaped(value, batch, b.Integers(-1), b.Integers(Heads), b.Integers(HeadSize)), [0, 2, 1, 3]);
        string Merged(string value) => m.Reshaped(value, b.Mul(batch, b.Integers(Heads)), b.Integers(-1), b.Integers(HeadSize));
        string queries = Merged(Divided(q)), keys = Merged(Divided(k)), values = Merged(Divided(v));
        string weights = b.Node("Softmax", [b.MatMul(queries, b.Transpose(keys, [0, 2, 1]))], Attributes.Of("axis", -1));
        string context = m.Reshaped(b.MatMul(weights, values), batch, b.Integers(Heads), places, b.Integers(HeadSize));
        return m.Reshaped(b.Transpose(context, [0, 2, 1, 3]), batch, places, b.Integers(Width));
    }

    /// <summary>torchlib's scaled_dot_product_attention: sizes come from the inputs, keys are transposed in three dimensions, NaN of rows that may read nothing is replaced by 0.</summary>
    private static string Dynamo(EncoderModel m, bool isMasked)
    {
        GraphBuilder b = m.B;
        string Reshaped(string x, string shape) => b.Node("Reshape", [x, shape], Attributes.Of("allowzero", 1));
        string batch = b.Node("Shape", ["x"], Attributes.Of("start", 0), Attributes.Of("end", 1)), places = b.Node("Shape", ["x"], Attributes.Of("start", 1), Attributes.Of("end", 2));
        string x = m.Normalized(), q = m.Linear(x), k = m.Linear(x), v = m.Linear(x);
        string view = b.Concat(0, batch, places, b.Integers(Heads), b.Integers(HeadSize));
        string queries = b.Transpose(Reshaped(q, view), [0, 2, 1, 3]), keys = b.Transpose(Reshaped(k, view), [0, 2, 1, 3]), values = b.Transpose(Reshaped(v, view), [0, 2, 1, 3]);
        string shape = b.Shape(keys);
        string size = b.Slice(shape, 0, -1, long.MaxValue), length = b.Slice(shape, 0, -2, -1), leading = b.Slice(shape, 0, 0, -2);
        string flat = b.Transpose(b.Node("Reshape", [keys, b.Concat(0, b.Integers(-1), length, size)]), [0, 2, 1]);
        string transposed = b.Node("Reshape", [flat, b.Concat(0, leading, size, length)]);
        string root = b.Scalar(Math.Sqrt(1 / Root));
        string scores = b.MatMul(b.Mul(queries, root), b.Mul(transposed, root));
        string weights;
        if (isMasked)
        {
            string kept = b.Expand(b.Unsqueeze(b.Cast("attention_mask", ElementType.Bool), 1, 2), b.Concat(0, batch, b.Integers(1), places, places));
            weights = m.Softmax(b.Add(scores, b.Where(kept, b.Scalar(0), b.Scalar(float.MinValue))));
            weights = b.Where(b.Node("IsNaN", [weights]), b.Scalar(0), weights);
        }
        else
        {
            weights = m.Softmax(scores);
        }

        return Reshaped(b.Transpose(b.MatMul(weights, values), [0, 2, 1, 3]), b.Concat(0, batch, places, b.Integers(Width)));
    }

    /// <summary>What ONNX Runtime saves of BERT, scales and transpositions inside of a FusedMatMul.</summary>
    private static string Fused(EncoderModel m)
    {
        GraphBuilder b = m.B;
        string x = m.Normalized();
        string Divided(string value) => b.Transpose(b.Reshape0(value, 0, 0, Heads, HeadSize), [0, 2, 1, 3]);
        string queries = Divided(m.Linear(x)), keys = Divided(m.Linear(x)), values = Divided(m.Linear(x));
        string scores = b.MicrosoftNode("FusedMatMul", [queries, keys], Attributes.Of("alpha", (float)(1 / Root)), Attributes.Of("transB", 1));
        string mask = b.Mul(b.Sub(b.Scalar(1), b.Cast(b.Unsqueeze("attention_mask", 1, 2), ElementType.Float)), b.Scalar(-10000));
        return b.Reshape0(b.Transpose(b.MatMul(m.Softmax(b.Add(scores, mask)), values), [0, 2, 1, 3]), 0, 0, Width);
    }

    /// <summary>Fixed sizes with rows as one axis: Gemm with transposed weights, constant targets, keys transposed at once.</summary>
    private static string Gemm(EncoderModel m)
    {
        GraphBuilder b = m.B;
        string x = b.Reshape0(m.Normalized(), -1, Width);
        string Divided(long[] order) => b.Transpose(b.Reshape0(b.Node("Gemm", [x, m.Weight(Width, Width), m.Weight(Width)], Attributes.Of("transB", 1)), 2, 5, Heads, HeadSize), order);
        string scores = b.Mul(b.MatMul(Divided([0, 2, 1, 3]), Divided([0, 2, 3, 1])), b.Scalar(1 / Root));
        return b.Reshape0(b.Transpose(b.MatMul(m.Softmax(scores), Divided([0, 2, 1, 3])), [0, 2, 1, 3]), 2, 5, Width);
    }

    /// <summary>transformers' BERT for TensorFlow: rows as one axis in dense layers, a mask of three dimensions that is made four.</summary>
    private static string TensorFlow(EncoderModel m)
    {
        GraphBuilder b = m.B;
        string x = m.Normalized(), batch = b.Slice(b.Shape("x"), 0, 0, 1), places = b.Slice(b.Shape("x"), 0, 1, 2);
        string flat = b.Reshape0(x, -1, Width);
        string Divided() => b.Transpose(m.Reshaped(b.Add(b.MatMul(flat, m.Weight(Width, Width)), m.Weight(Width)), batch, places, b.Integers(Heads), b.Integers(HeadSize)), [0, 2, 1, 3]);
        string queries = Divided(), keys = Divided(), values = Divided();
        string kept = b.Cast(m.Reshaped("attention_mask", batch, b.Integers(1), b.Integers(1), places), ElementType.Float);
        string scores = b.Mul(b.MatMul(queries, b.Transpose(keys, [0, 1, 3, 2])), b.Scalar(1 / Root));
        string masked = b.Add(scores, b.Mul(b.Sub(b.Scalar(1), kept), b.Scalar(-10000)));
        return m.Reshaped(b.Transpose(b.MatMul(m.Softmax(masked), values), [0, 2, 1, 3]), batch, places, b.Integers(Width));
    }

    /// <summary>torch.onnx for opset 23 and later: one operator, with a mask of truth values.</summary>
    private static string Operator(EncoderModel m, bool isJoined)
    {
        GraphBuilder b = m.B;
        string x = m.Normalized(), q = m.Linear(x), k = m.Linear(x), v = m.Linear(x);
        if (!isJoined)
        {
            string result = b.Node("Attention", [m.Divided(q), m.Divided(k), m.Divided(v)], Attributes.Of("scale", (float)(1 / Root)));
            return m.Joined(result);
        }

        string mask = b.Expand(b.Unsqueeze(b.Cast("attention_mask", ElementType.Bool), 1, 2), b.Concat(0, m.Size("x", 0), b.Integers(1), m.Size("x", 1), m.Size("x", 1)));
        return b.Node("Attention", [q, k, v, mask], Attributes.Of("q_num_heads", Heads), Attributes.Of("kv_num_heads", Heads));
    }

    /// <summary>One product for queries, keys and values, divided as timm does, reshape(B, N, 3, heads, size).permute(2, 0, 3, 1, 4).unbind(0), or as ModernBERT does, transpose(3, 1).unbind(2).</summary>
    private static string Packed(EncoderModel m, bool isSplit)
    {
        GraphBuilder b = m.B;
        string x = m.Normalized();
        string together = b.Add(b.MatMul(x, m.Weight(Width, 3 * Width)), m.Weight(3 * Width));
        string apart = m.Reshaped(together, m.Size(x, 0), m.Size(x, 1), b.Integers(3), b.Integers(Heads), b.Integers(HeadSize));
        string[] parts = isSplit
            ? [.. b.NodeWithOutputs("Split", 3, [b.Transpose(apart, [2, 0, 3, 1, 4])], Attributes.Of("axis", 0)).Select(p => b.Squeeze(p, 0))]
            : [.. Enumerable.Range(0, 3).Select(i => b.Gather(b.Transpose(apart, [0, 3, 2, 1, 4]), b.Constant(Tensor.Scalar((long)i)), 2))];
        string scores = b.Mul(b.MatMul(b.Mul(parts[0], b.Scalar(2)), b.Transpose(parts[1], [0, 1, 3, 2])), b.Scalar(0.5 / Root));
        if (!isSplit)
        {
            string kept = b.Expand(b.Unsqueeze(b.Cast("attention_mask", ElementType.Bool), 1, 2), b.Concat(0, m.Size(x, 0), b.Integers(1), m.Size(x, 1), m.Size(x, 1)));
            scores = b.Add(scores, b.Where(kept, b.Scalar(0), b.Scalar(float.MinValue)));
        }

        string context = b.Transpose(b.MatMul(m.Softmax(scores), parts[2]), [0, 2, 1, 3]);
        return m.Reshaped(context, m.Size(x, 0), m.Size(x, 1), b.Integers(Width));
    }

    /// <summary>One product, whose result is split along its features.</summary>
    private static string Chunked(EncoderModel m)
    {
        GraphBuilder b = m.B;
        string x = m.Normalized();
        string together = b.Add(b.MatMul(x, m.Weight(Width, 3 * Width)), m.Weight(3 * Width));
        string[] parts = [.. b.NodeWithOutputs("Split", 3, [together, b.Integers(Width, Width, Width)], Attributes.Of("axis", 2)).Select(m.Divided)];
        string scores = b.Div(b.MatMul(parts[0], b.Transpose(parts[1], [0, 1, 3, 2])), b.Scalar(Root));
        return m.Joined(b.MatMul(m.Softmax(scores), parts[2]));
    }

    /// <summary>torch.nn.MultiheadAttention: places before batch, one product, batch and heads in one axis, a key_padding_mask as minus infinity, rows of the result in one axis.</summary>
    private static string PlacesFirst(EncoderModel m)
    {
        GraphBuilder b = m.B;
        string x = b.Transpose(m.Normalized(), [1, 0, 2]);
        string places = m.Size(x, 0), batch = m.Size(x, 1);
        string together = b.Add(b.MatMul(x, m.Weight(Width, 3 * Width)), m.Weight(3 * Width));
        string apart = b.Unsqueeze(m.Reshaped(together, places, batch, b.Integers(3), b.Integers(Width)), 0);
        string moved = b.Squeeze(b.Transpose(apart, [3, 1, 2, 0, 4]), 3);
        string Heads4(int part)
        {
            string taken = b.Gather(moved, b.Constant(Tensor.Scalar((long)part)), 0);
            string merged = b.Transpose(m.Reshaped(taken, places, b.Mul(batch, b.Integers(Heads)), b.Integers(HeadSize)), [1, 0, 2]);
            return m.Reshaped(merged, batch, b.Integers(Heads), places, b.Integers(HeadSize));
        }

        string hidden = b.Equal("attention_mask", b.Constant(Tensor.Scalar(0L)));
        string filled = b.Where(hidden, b.Scalar(float.NegativeInfinity), b.Scalar(0));
        string wide = b.Expand(m.Reshaped(filled, batch, b.Integers(1), b.Integers(1), places), b.Concat(0, batch, b.Integers(Heads), b.Integers(1), places));
        string flat = m.Reshaped(wide, b.Mul(batch, b.Integers(Heads)), b.Integers(1), places);
        string mask = m.Reshaped(flat, batch, b.Integers(Heads), b.Integers(1), places);
        string scores = b.Add(b.MatMul(b.Mul(Heads4(0), b.Scalar(1 / Root)), b.Transpose(Heads4(1), [0, 1, 3, 2])), mask);
        string context = b.Transpose(b.MatMul(m.Softmax(scores), Heads4(2)), [2, 0, 1, 3]);
        string rows = m.Reshaped(context, b.Mul(batch, places), b.Integers(Width));
        string projected = b.Node("Gemm", [rows, m.Weight(Width, Width), m.Weight(Width)], Attributes.Of("transB", 1));
        return b.Transpose(m.Reshaped(projected, places, batch, b.Integers(Width)), [1, 0, 2]);
    }
}
