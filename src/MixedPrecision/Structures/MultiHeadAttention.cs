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
        AttentionPattern.Find(site) is { } attention && (PaddingMask.Of(site, attention) is not null || AttentionBias.Fits(site, attention))
            ? new StructureMatch(
                attention.Absorbed.ToDictionary(l => l, _ => NumberFormats.Baseline.Name), [attention.Output], [new Kernel($"com.microsoft.{Operator}")], e => Emit(e, attention, PaddingMask.Of(site, attention), site.Model.Opset))
            : null;

    private static void Emit(StructureEmission e, AttentionPattern attention, PaddingMask? padding, int opset)
    {
        string query = Joined(e.Builder, attention.Query, attention.Heads * attention.HeadSize);
        string key = Joined(e.Builder, attention.Key, attention.Heads * attention.HeadSize);
        string value = Joined(e.Builder, attention.Value, attention.Heads * attention.ValueHeadSize);
        string[] mask = padding is not null ? ["", padding.Emit(e)] : attention.Masks.Count == 0 ? [] : ["", "", AttentionBias.Emit(e, attention, query, key)];
        attention.Write(
            e,
            Operator,
            [query, key, value, .. mask],
            [Attributes.Of("num_heads", attention.Heads), Attributes.Of("scale", attention.Scale), .. padding is null ? Array.Empty<AttributeProto>() : [Attributes.Of("mask_filter_value", padding.Fill)]],
            padding,
            opset);
    }

    /// <summary>An operand as [batch, places, features].</summary>
    private static string Joined(GraphBuilder b, AttentionOperand operand, long features) => operand switch
    {
        { Form: OperandForm.Joined } => operand.Name,
        { Form: OperandForm.Divided } => b.Reshape0(operand.Name, 0, 0, features),
        { Form: OperandForm.PlacesFirst } => b.Transpose(operand.Name, [1, 0, 2]),
        { Packed: { } packed } => b.Slice(packed.Name, 2, packed.Part * features, (packed.Part + 1) * features) is var part && packed.IsPlacesFirst ? b.Transpose(part, [1, 0, 2]) : part,
        _ => b.Reshape0(b.Transpose(operand.Name, [0, 2, 1, 3]), 0, 0, features),
    };
}
