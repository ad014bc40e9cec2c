namespace MixedPrecision.Policies;

/// <summary>Names of the structures that a policy may allow: the one place where they are written. Tests hold the table of structures, the schema and the documents to them.</summary>
public static class StructureNames
{
    /// <summary>As the model has it, always allowed.</summary>
    public const string Exported = "exported";

    /// <summary>Attention in com.microsoft's GroupQueryAttention, in tiles.</summary>
    public const string GroupQueryAttention = "group-query-attention";

    /// <summary>The same, with whole matrices of scores.</summary>
    public const string GroupQueryAttentionNaive = "group-query-attention-naive";

    /// <summary>Projections to queries, keys and values in int8, and their attention, in com.microsoft's QAttention.</summary>
    public const string QuantizedAttention = "quantized-attention";

    /// <summary>The same in float, in com.microsoft's Attention.</summary>
    public const string Attention = "attention";

    /// <summary>Attention in com.microsoft's MultiHeadAttention.</summary>
    public const string MultiHeadAttention = "multi-head-attention";

    /// <summary>Single operators of the runtime in place of rotations and normalizations; part of all other structures but the exported one.</summary>
    public const string Fused = "fused";

    /// <summary>Every structure, the exported one first.</summary>
    public static readonly IReadOnlyList<string> All = [Exported, GroupQueryAttention, GroupQueryAttentionNaive, QuantizedAttention, Attention, MultiHeadAttention, Fused];
}
