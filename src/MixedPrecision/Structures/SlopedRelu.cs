using MixedPrecision.Onnx;

namespace MixedPrecision.Structures;

/// <summary>
/// PRelu behind a convolution, for which ONNX Runtime has no kernel in the blocked layout of convolutions: with one slope LeakyRelu, which it joins with the convolution; with slopes a up to 1 for each
/// channel x + relu((a − 1) · x) with a depthwise convolution of one place, which it joins with Relu.
/// </summary>
internal static class SlopedRelu
{
    /// <summary>Depthwise convolutions of other numbers of channels are not blocked; up to a whole block the runtime fills with zeros.</summary>
    private const int Multiple = 4;

    public static IEnumerable<Rewrite> Find(StructureSite site)
    {
        var reader = new AttentionReader(site.Model, site.Partition.View, site.Types);
        return site.Subgraph.Timed.Select(n => reader.View.Nodes[n]).Where(n => n.Operator() == "PRelu").Select(n => At(reader, n)).OfType<Rewrite>();
    }

    private static Rewrite? At(AttentionReader reader, NodeProto node)
    {
        (string x, string output) = (node.Input[0], node.Output[0]);
        if (reader.Shape(x, 4) is not { } shape || shape[1].Constant is not (> 0 and <= int.MaxValue and long channels) || !reader.Types.TryGetValue(x, out TensorType? type)
            || type.ElementType != ElementType.Float || !IsBehindConvolution(reader, x, (int)channels) || ChannelAffine.Constants(reader, node.Input[1], 4, (int)channels) is not { } slopes)
        {
            return null;
        }

        return slopes.All(s => s == slopes[0]) ? new Rewrite(output, null, e => e.Builder.NodeTo([output], "LeakyRelu", "", [x], Attributes.Of("alpha", (float)slopes[0])))
            : channels % Multiple == 0 && slopes.All(s => s <= 1) ? new Rewrite(output, null, e =>
            {
                string factors = e.Constant(Tensor.Of<float>([.. slopes.Select(s => (float)(s - 1))], channels, 1, 1, 1), "slopes");
                string scaled = e.Builder.Node("Conv", [x, factors], Attributes.Of("group", channels), Attributes.Of("kernel_shape", [1L, 1L]));
                e.Builder.NodeTo([output], "Add", "", [x, e.Builder.Node("Relu", [scaled])]);
            })
            : null;
    }

    private static bool IsBehindConvolution(AttentionReader reader, string value, int channels)
    {
        while (reader.Maker(value) is { } maker)
        {
            if (maker.OpType == "Conv")
            {
                return true;
            }

            if (maker.Input.FirstOrDefault(i => !reader.View.Constants.Contains(i)) is not string x || ChannelAffine.Of(reader, maker, x, 4, channels) is null)
            {
                return false;
            }

            value = x;
        }

        return false;
    }
}
