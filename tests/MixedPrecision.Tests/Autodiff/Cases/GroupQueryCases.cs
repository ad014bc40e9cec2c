using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

/// <summary>GroupQueryAttention: prompts, padded ones among them, and steps with a past; differences are taken on ONNX Runtime's own kernel.</summary>
internal static class GroupQueryCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Row("com.microsoft.GroupQueryAttention", GroupQuery(past: false), floatOnly: true),
        Row("GroupQueryAttention with a past", GroupQuery(past: true), "com.microsoft.GroupQueryAttention", floatOnly: true),
    ];

    private static Gen<GradientCase> GroupQuery(bool past) =>
        from batch in Gen.Long[1, 2]
        from drawn in Gen.Long[1, 4]
        let rows = past && batch > 1 ? 1 : drawn
        from pasts in Gen.Int[1, 3].Array[(int)batch]
        from surplus in Gen.Long[0, 2]
        from packed in Gen.Bool
        from rotary in Gen.Int[0, 3]
        from window in Draw.OneOf(-1L, -1, 1, 2, 3)
        from settings in Gen.Bool.Array[8]
        from width in Draw.OneOf(16L, 16, 32)
        let total = past ? pasts.Max() + rows : rows
        from query in Draw.Real(batch, rows, (packed ? 8 : 4) * width)
        from keys in Draw.Real(batch, rows, 2 * width).Array[2]
        from memory in Draw.Real(batch, 2, surplus == 0 ? pasts.Max() : total + surplus - 1, width).Array[2]
        from tables in Draw.Real(12, 8).Array[2]
        from addend in Draw.Real(1, settings[0] ? 4 : 1, rows, total)
        from sink in Draw.Real(4)
        from places in Draw.Integers(0, 8, batch, rows)
        let lengths = Operand.Of(Tensor.Of<int>(pasts.Select((p, i) => past ? p + (int)rows - 1 : i == 0 ? (int)rows - 1 : Math.Min(p, (int)rows) - 1).ToArray(), batch))
        select new GradientCase(
            "GroupQueryAttention",
            [
                query,
                .. packed ? [Operand.None, Operand.None] : keys,
                .. past ? memory : [Operand.None, Operand.None],
                lengths,
                Operand.Of(Tensor.Scalar((int)total)),
                .. rotary > 0 ? tables.Select(t => t with { Checked = false }) : [Operand.None, Operand.None],
                settings[5] && rotary > 0 ? places : Operand.None,
                settings[1] ? addend : Operand.None,
                settings[2] ? sink : Operand.None,
            ],
            [
                Attributes.Of("num_heads", 4),
                Attributes.Of("kv_num_heads", 2),
                Attributes.Of("local_window_size", settings[7] ? window : -1),
                Attributes.Of("causal", settings[7] ? 1 : 0),
                Attributes.Of("smooth_softmax", settings[6] && !settings[2] ? 1 : 0),
                Attributes.Of("do_rotary", rotary > 0 ? 1 : 0),
                Attributes.Of("rotary_interleaved", rotary > 2 ? 1 : 0),
                .. settings[3] ? [Attributes.Of("softcap", 1.5f)] : Array.Empty<AttributeProto>(),
                .. settings[4] ? [Attributes.Of("scale", 0.6f)] : Array.Empty<AttributeProto>(),
            ])
        { Domain = "com.microsoft", Outputs = 3, Unprojected = past ? [1, 2] : [] };
}
