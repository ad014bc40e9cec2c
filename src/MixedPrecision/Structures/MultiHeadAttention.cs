using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Structures;

/// <summary>
/// The products of an attention, and all between, in one kernel (com.microsoft.MultiHeadAttention): softmax(scale·q·kᵀ + masks)·v. Without a mask ONNX Runtime takes a path that
/// keeps a tile of scores in the cache (flash attention), which pays from some hundred keys on; with one it computes all scores. Projections and their biases stay as they are:
/// given to the operator, biases take longer than where an integer product adds them.
/// </summary>
internal static class MultiHeadAttention
{
    public static readonly Structure Structure = new(StructureNames.MultiHeadAttention, 1, Match);

    private const string Operator = "MultiHeadAttention";

    private static StructureMatch? Match(StructureSite site) =>
        AttentionPattern.Find(site) is { } attention && AttentionBias.Fits(site, attention)
            ? new StructureMatch(
                attention.Absorbed.ToDictionary(l => l, _ => NumberFormats.Baseline.Name), [attention.Output], new Kernel($"com.microsoft.{Operator}"), e => Emit(e, attention, PaddingMask.Of(site, attention)))
            : null;

    private static void Emit(StructureEmission e, AttentionPattern attention, PaddingMask? padding)
    {
        string query = Joined(e, attention.Query, attention.Heads * attention.HeadSize);
        string key = Joined(e, attention.Key, attention.Heads * attention.HeadSize);
        string value = Joined(e, attention.Value, attention.Heads * attention.ValueHeadSize);
        string[] mask = padding is not null ? ["", padding.Emit(e)] : attention.Masks.Count == 0 ? [] : ["", "", AttentionBias.Emit(e, attention, query, key)];
        AttributeProto[] attributes =
        [
            Attributes.Of("num_heads", attention.Heads),
            Attributes.Of("scale", attention.Scale),
            .. padding is null ? Array.Empty<AttributeProto>() : [Attributes.Of("mask_filter_value", padding.Fill)],
        ];
        string output = attention.IsFlat ? e.Builder.Fresh("attention") : attention.Output;
        e.Builder.NodeTo([output], Operator, "com.microsoft", [query, key, value, .. mask], attributes);
        if (attention.IsFlat)
        {
            e.Builder.NodeTo([attention.Output], "Reshape", "", [output, e.Builder.Integers(-1, attention.Heads * attention.ValueHeadSize)]);
        }
    }

    /// <summary>An operand as [batch, places, features].</summary>
    private static string Joined(StructureEmission e, AttentionOperand operand, long features) => operand.Form switch
    {
        OperandForm.Joined => operand.Name,
        OperandForm.Divided => e.Builder.Reshape0(operand.Name, 0, 0, features),
        _ => e.Builder.Reshape0(e.Builder.Transpose(operand.Name, [0, 2, 1, 3]), 0, 0, features),
    };
}
