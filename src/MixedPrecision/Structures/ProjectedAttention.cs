using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Structures;

/// <summary>An attention whose queries, keys and values are projections of one input, which a kernel may compute too.</summary>
/// <param name="Attention">The attention.</param>
/// <param name="Projections">Of queries, keys and values.</param>
/// <param name="Padding">The mask, if there is one.</param>
/// <param name="Fixed">The format of each layer.</param>
internal sealed record ProjectedAttention(AttentionPattern Attention, IReadOnlyList<Projection> Projections, PaddingMask? Padding, IReadOnlyDictionary<string, string> Fixed)
{
    /// <summary>Features of queries, of keys and of values.</summary>
    public int Size { get; } = checked((int)(Attention.Heads * Attention.HeadSize));

    /// <summary>Attributes that com.microsoft's Attention and QAttention have in common.</summary>
    public AttributeProto[] Attributes =>
    [
        Onnx.Attributes.Of("num_heads", Attention.Heads),
        Onnx.Attributes.Of("scale", Attention.Scale),
        .. Padding is null ? Array.Empty<AttributeProto>() : [Onnx.Attributes.Of("mask_filter_value", Padding.Fill)],
    ];

    /// <summary>The one in a sub-graph, if a format can run its projections. Only masks that are padding can be given to the kernels.</summary>
    public static ProjectedAttention? Find(StructureSite site, NumberFormat format)
    {
        if (AttentionPattern.Find(site) is not { } attention || attention.HeadSize != attention.ValueHeadSize)
        {
            return null;
        }

        PaddingMask? padding = PaddingMask.Of(site, attention);
        int size = checked((int)(attention.Heads * attention.HeadSize));
        Projection[] projections = [.. new[] { attention.Query, attention.Key, attention.Value }.Select(o => Projection.Of(site, attention, o, size)).OfType<Projection>()];
        if (projections.Length < 3 || projections.Any(p => p.Input != projections[0].Input || (p.Input is null && p.Read != projections[0].Read) || format.WhyNot(site.Sites[p.Layer]) is not null) || attention.Masks.Count > (padding is null ? 0 : 1))
        {
            return null;
        }

        Dictionary<string, string> formats = attention.Absorbed.ToDictionary(l => l, _ => FormatFamilies.Baseline);
        foreach (Projection projection in projections)
        {
            formats[projection.Layer] = format.Name;
        }

        return new ProjectedAttention(attention, projections, padding, formats);
    }

    /// <summary>The biases of queries, keys and values in a row.</summary>
    public string Bias(StructureEmission e) => e.Constant(Tensor.Of<float>([.. Projections.SelectMany(p => p.Bias)], 3 * Size), $"{Projections[0].Layer}/attention/bias");
}
