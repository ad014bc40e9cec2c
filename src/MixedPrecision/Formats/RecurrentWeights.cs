using MixedPrecision.Onnx;

namespace MixedPrecision.Formats;

/// <summary>
/// LSTM (ONNX LSTM-7, -14, -22) in 8 bits, as com.microsoft.DynamicQuantizeLSTM: x·Wᵀ is one product over all steps, with one range of x; h·Rᵀ is one in each step, with a range of h of its own, over the batch
/// or over the part of it that a thread takes. Weights are signed, [directions, inputs, 4·hidden], with a scale for each direction and column and zero points of 0. Gates, states and biases stay float.
/// </summary>
internal static class RecurrentWeights
{
    public const string Kernel = "DynamicQuantizeLSTM";

    /// <summary>Places of W, R, and the first of what follows (B, sequence_lens, initial_h, initial_c, P) in both operators.</summary>
    private const int FirstFurther = 3, LastFurther = 7;

    /// <summary>Attributes of LSTM that the kernel has not: the layout, of which ONNX Runtime takes one alone, and one of ONNX's first version.</summary>
    private static readonly string[] Dropped = ["layout", "output_sequence"];

    /// <summary>Of one weight the values, [directions, inputs, 4·hidden], and the scales and zero points of its columns, [directions, 4·hidden].</summary>
    public static Tensor[] Prepare(LayerSite site, Tensor weight, Int8Dynamic.ScaleOf scaleOf, int limit)
    {
        (Tensor values, Tensor scales) = Int8Dynamic.Rounded(site, weight, scaleOf, limit) is var rounded ? (rounded[0], rounded[1]) : default;
        long directions = site.Layer.WeightShape![0], outputs = site.Layer.WeightShape[1], inputs = site.InputSize;

        // [inputs, directions · outputs] → [directions, inputs, outputs].
        ReadOnlySpan<byte> source = values.Bytes.Span;
        var target = new byte[source.Length];
        for (long direction = 0; direction < directions; direction++)
        {
            for (long input = 0; input < inputs; input++)
            {
                source.Slice((int)(((input * directions) + direction) * outputs), (int)outputs).CopyTo(target.AsSpan((int)(((direction * inputs) + input) * outputs)));
            }
        }

        return
        [
            new Tensor(ElementType.Int8, [directions, inputs, outputs], target),
            new Tensor(ElementType.Float, [directions, outputs], scales.Bytes),
            new Tensor(ElementType.Int8, [directions, outputs], new byte[directions * outputs]),
        ];
    }

    public static void Emit(LayerEmission e)
    {
        NodeProto node = e.Site.Node;
        (IReadOnlyList<string> w, IReadOnlyList<string> r) = ([.. e.Constants.Take(3)], [.. e.Constants.Skip(3)]);
        IEnumerable<string> further = Enumerable.Range(FirstFurther, LastFurther - FirstFurther + 1).Select(i => node.Input.ElementAtOrDefault(i) ?? "");
        e.Builder.NodeTo(
            [.. node.Output.Select(o => o == e.Site.Layer.Output ? e.Output : o)],
            Kernel,
            "com.microsoft",
            [e.Input, w[0], r[0], .. further, w[1], w[2], r[1], r[2]],
            [.. node.Attribute.Where(a => !Dropped.Contains(a.Name))]);
    }
}
