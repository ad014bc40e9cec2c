using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

/// <summary>Attention operators and rotary positions: differences are taken on ONNX Runtime's own kernels.</summary>
internal static class AttentionCases
{
    private const string Microsoft = "com.microsoft";

    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Row("Attention", Plain(joined: false), floatOnly: true),
        Row("Attention of joined heads", Plain(joined: true), "Attention", floatOnly: true),
        Row("Attention with lengths", Lengths(), "Attention", floatOnly: true),
        Row("RotaryEmbedding", Rotary(), floatOnly: true),
        Row("com.microsoft.RotaryEmbedding", MicrosoftRotary(), floatOnly: true),
        Row("com.microsoft.Attention", Packed(), floatOnly: true),
        Row("com.microsoft.MultiHeadAttention", MultiHead(), floatOnly: true),
        Row("MultiHeadAttention across", Across(), "com.microsoft.MultiHeadAttention", floatOnly: true),
    ];

    private static Gen<GradientCase> Plain(bool joined) =>
        from batch in Gen.Long[1, 2]
        from groups in Gen.Long[1, 2]
        from keyHeads in Gen.Long[1, 2]
        from lengths in Gen.Long[1, 3].Array[3]
        from widths in Gen.Long[1, 3].Array[2]
        from withPast in Gen.Bool
        from masked in Gen.Int[0, 3]
        from causal in Gen.Bool
        from settings in Gen.Bool.Array[3]
        from mode in Gen.Long[0, 3]
        let queryHeads = groups * keyHeads
        let total = lengths[1] + (withPast ? lengths[2] : 0)
        from query in Heads(joined, batch, queryHeads, lengths[0], widths[0])
        from key in Heads(joined, batch, keyHeads, lengths[1], widths[0])
        from value in Heads(joined, batch, keyHeads, lengths[1], widths[1])
        from pastKey in Draw.Real(batch, keyHeads, lengths[2], widths[0])
        from pastValue in Draw.Real(batch, keyHeads, lengths[2], widths[1])
        from allowed in Readable(lengths[0], total)
        from addend in Draw.Real(masked == 2 ? [lengths[0], total] : [batch, queryHeads, lengths[0], total])
        let mask = masked switch { 0 => Operand.None, 1 => allowed, _ => addend }
        select new GradientCase(
            "Attention",
            [query, key, value, mask, .. withPast ? [pastKey, pastValue] : Array.Empty<Operand>()],
            [
                Attributes.Of("is_causal", causal ? 1 : 0),
                Attributes.Of("qk_matmul_output_mode", mode),
                .. settings[0] ? [Attributes.Of("scale", 0.7f)] : Array.Empty<AttributeProto>(),
                .. settings[1] ? [Attributes.Of("softcap", 1.5f)] : Array.Empty<AttributeProto>(),
                .. settings[2] ? [Attributes.Of("softmax_precision", ElementType.Float)] : Array.Empty<AttributeProto>(),
                .. joined ? [Attributes.Of("q_num_heads", queryHeads), Attributes.Of("kv_num_heads", keyHeads)] : Array.Empty<AttributeProto>(),
            ])
        { Opset = settings[2] ? 24 : 23, Outputs = 4, Left = withPast ? [] : [1, 2] };

    private static Gen<GradientCase> Lengths() =>
        from rows in Gen.Long[1, 3]
        from length in Gen.Long[3, 4]
        from causal in Gen.Bool
        from masked in Gen.Int[0, 2]
        from query in Draw.Real(2, 2, rows, 3)
        from key in Draw.Real(2, 2, length, 3)
        from value in Draw.Real(2, 2, length, 3)
        from allowed in Readable(rows, length)
        from addend in Draw.Real(rows, length)
        from lengths in Gen.Long[rows, 3].Array[2]
        select new GradientCase(
            "Attention",
            [query, key, value, masked switch { 0 => Operand.None, 1 => allowed, _ => addend }, Operand.None, Operand.None, Operand.Of(Tensor.Of<long>(lengths, 2))],
            Attributes.Of("is_causal", causal ? 1 : 0))
        { Opset = 24 };

    private static Gen<GradientCase> Rotary() =>
        from joined in Gen.Bool
        from sizes in Gen.Long[1, 3].Array[3]
        from halves in Gen.Long[1, 3].Array[2]
        from partial in Gen.Bool
        from interleaved in Gen.Bool
        from placed in Gen.Bool
        let half = partial ? Math.Min(halves[0], halves[1]) : halves[0]
        from x in Heads(joined, sizes[0], sizes[1], sizes[2], 2 * halves[0])
        from tables in Draw.Real(placed ? [5, half] : [sizes[0], sizes[2], half]).Array[2]
        from places in Draw.Integers(0, 4, sizes[0], sizes[2])
        select new GradientCase("RotaryEmbedding", placed ? [x, .. tables, places] : [x, .. tables], [
            Attributes.Of("interleaved", interleaved ? 1 : 0),
            .. partial ? [Attributes.Of("rotary_embedding_dim", 2 * half)] : Array.Empty<AttributeProto>(),
            .. joined ? [Attributes.Of("num_heads", sizes[1])] : Array.Empty<AttributeProto>(),
        ])
        { Opset = 23 };

    private static Gen<GradientCase> MicrosoftRotary() =>
        from joined in Gen.Bool
        from sizes in Gen.Long[1, 3].Array[3]
        from partial in Gen.Bool
        from interleaved in Gen.Bool
        from offset in Gen.Bool
        let width = partial ? 6L : 4L
        from x in Heads(joined, sizes[0], sizes[1], sizes[2], width)
        from tables in Draw.Real(8, 2).Array[2]
        from places in Draw.Integers(0, 4, offset ? [1] : [sizes[0], sizes[2]])
        select new GradientCase("RotaryEmbedding", [x, places, .. tables], [
            Attributes.Of("interleaved", interleaved ? 1 : 0),
            .. partial ? [Attributes.Of("rotary_embedding_dim", 4), Attributes.Of("num_heads", sizes[1])] : Array.Empty<AttributeProto>(),
        ])
        { Domain = Microsoft };

    /// <summary>A filter of −2 rather than −10000 shows whether it is added, and where.</summary>
    private static Gen<GradientCase> Packed() =>
        from batch in Gen.Long[1, 2]
        from rows in Gen.Long[1, 3]
        from past in Gen.Long[0, 2]
        from unequal in Gen.Bool
        from settings in Gen.Bool.Array[3]
        from masked in Gen.Int[0, 4]
        let widths = unequal && past == 0 ? new long[] { 4, 4, 6 } : [4, 4, 4]
        let total = rows + past
        from x in Draw.Real(batch, rows, 3)
        from weight in Draw.Real(3, widths.Sum())
        from bias in Draw.Real(widths.Sum())
        from memory in Draw.Real(2, batch, 2, Math.Max(past, 1), 2)
        from addend in Draw.Real(settings[0] ? [batch, 2, rows, total] : [1, 1, rows, total])
        from mask in Mask(masked, batch, rows, total)
        select new GradientCase(
            "Attention",
            [x, weight, bias, mask, past > 0 ? memory : Operand.None, settings[1] && past == 0 ? addend : Operand.None],
            [
                Attributes.Of("num_heads", 2),
                Attributes.Of("unidirectional", settings[2] ? 1 : 0),
                Attributes.Of("mask_filter_value", -2f),
                .. settings[0] ? [Attributes.Of("scale", 0.6f)] : Array.Empty<AttributeProto>(),
                .. unequal && past == 0 ? [Attributes.Of("qkv_hidden_sizes", widths)] : Array.Empty<AttributeProto>(),
            ])
        { Domain = Microsoft, Outputs = past > 0 ? 2 : 1 };

    private static Gen<GradientCase> MultiHead() =>
        from batch in Gen.Long[1, 2]
        from rows in Gen.Long[1, 3]
        from past in Gen.Long[0, 2]
        from settings in Gen.Bool.Array[4]
        from masked in Gen.Int[0, 3]
        let maskKind = masked == 1 && past > 0 ? 2 : masked
        let total = rows + past
        from parts in Draw.Real(batch, rows, 4).Array[3]
        from bias in Draw.Real(12)
        from memory in Draw.Real(batch, 2, Math.Max(past, 1), 2).Array[2]
        from addend in Draw.Real(settings[0] ? [batch, 2, rows, total] : [1, 1, rows, total])
        from mask in Mask(maskKind, batch, rows, total)
        select new GradientCase(
            "MultiHeadAttention",
            [.. parts, settings[3] ? bias : Operand.None, mask, settings[1] ? addend : Operand.None, .. past > 0 ? memory : []],
            [
                Attributes.Of("num_heads", 2),
                Attributes.Of("unidirectional", settings[2] ? 1 : 0),
                Attributes.Of("mask_filter_value", -2f),
                .. settings[0] ? [Attributes.Of("scale", 0.6f)] : Array.Empty<AttributeProto>(),
            ])
        { Domain = Microsoft, Outputs = past > 0 ? 3 : 1 };

    /// <summary>Queries and keys of different lengths, values of another width, keys and values parted already.</summary>
    private static Gen<GradientCase> Across() =>
        from rows in Gen.Long[1, 3]
        from keys in Gen.Long[1, 3]
        from parted in Gen.Bool
        from drawn in Gen.Long[2, 3]
        let width = parted ? 2 : drawn
        from query in Draw.Real(2, rows, 4)
        from key in Draw.Real(parted ? [2, 2, keys, 2] : [2, keys, 4])
        from value in Draw.Real(parted ? [2, 2, keys, width] : [2, keys, 2 * width])
        from bias in Draw.Real(8 + (2 * width))
        from biased in Gen.Bool
        from mask in Mask(2, 2, rows, keys)
        from masked in Gen.Bool
        select new GradientCase(
            "MultiHeadAttention", [query, key, value, biased ? bias : Operand.None, masked ? mask : Operand.None], Attributes.Of("num_heads", 2), Attributes.Of("mask_filter_value", -2f))
        { Domain = Microsoft };

    /// <summary>Each query may read at least one key.</summary>
    private static Gen<Operand> Readable(long rows, long keys) =>
        from flags in Gen.Bool.Array[(int)(rows * keys)]
        select Operand.Of(Tensor.Of<bool>([.. flags.Select((f, i) => f || i % keys == 0)], rows, keys));

    private static Gen<Operand> Heads(bool joined, long batch, long heads, long rows, long width) =>
        Draw.Real(joined ? [batch, rows, heads * width] : [batch, heads, rows, width]);

    /// <summary>Ends, ends and starts, or 0 and 1 per key, or per query and key.</summary>
    private static Gen<Operand> Mask(int kind, long batch, long rows, long keys) => kind switch
    {
        0 => Gen.Const(Operand.None),
        1 => Integers(Gen.Int[1, (int)keys], batch),
        2 => Integers(Gen.Int[0, 1], batch, keys),
        3 => Integers(Gen.Int[0, 1], batch, rows, keys),
        _ => from ends in Gen.Int[1, (int)keys].Array[(int)batch]
             from starts in Gen.Int[0, 1].Array[(int)batch]
             select Operand.Of(Tensor.Of<int>([.. ends, .. starts.Zip(ends, (s, e) => Math.Min(s, e - 1))], 2 * batch)),
    };

    private static Gen<Operand> Integers(Gen<int> draw, params long[] shape) =>
        draw.Array[(int)Tensor.ElementCount(shape)].Select(v => Operand.Of(Tensor.Of<int>(v, shape)));
}
