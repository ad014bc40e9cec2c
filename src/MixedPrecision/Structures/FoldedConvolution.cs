using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Structures;

/// <summary>
/// A convolution with the constant factors and addends before and behind it in its weight and bias, W' = s_out · W · s_in and b' = s_out · (b + Σ W · t_in) + t_out: ONNX Runtime folds some of those behind
/// it, and none before. What comes before is left where places beyond the edge are zeros and the addend is none. The layer's weight is another, so the layer is taken in float.
/// </summary>
internal static class FoldedConvolution
{
    /// <param name="kept">What steps of other rewrites compute, which are not to be taken apart.</param>
    public static IEnumerable<Rewrite> Find(StructureSite site, IReadOnlySet<string> kept)
    {
        var reader = new AttentionReader(site.Model, site.Partition, site.Types);
        HashSet<int> timed = [.. site.Subgraph.Timed];
        return site.Subgraph.Layers.Where(l => l.Kind is LayerKind.Conv or LayerKind.ConvTranspose).Select(l => At(reader, l, timed, kept)).OfType<Rewrite>();
    }

    private static Rewrite? At(AttentionReader reader, Layer layer, HashSet<int> timed, IReadOnlySet<string> kept)
    {
        NodeProto node = reader.View.Nodes[layer.Node];
        if (!reader.Types.TryGetValue(layer.Output, out TensorType? type) || type.ElementType != ElementType.Float || !ChannelAffine.IsFixed(reader, layer.Weight) || (layer.Bias is not null && !ChannelAffine.IsFixed(reader, layer.Bias)))
        {
            return null;
        }

        bool isTransposed = layer.Kind == LayerKind.ConvTranspose;
        long[] shape = layer.WeightShape!;
        int groups = (int)node.Int("group", 1), inputs = (int)(isTransposed ? shape[0] : shape[1] * groups), outputs = (int)(isTransposed ? shape[1] * groups : shape[0]);
        List<Step> behind = Behind(reader, layer.Output, shape.Length, outputs, timed, kept);
        List<Step> before = isTransposed ? [] : Before(reader, layer.Input, shape.Length, inputs, PadsNothing(node, shape), kept);

        // Across a cut a factor cannot be timed: it goes with what is found here, and into the whole model.
        bool isWorthIt = behind.Count > 0 ? before.Count > 0 || isTransposed || !IsFoldedAnyway(reader, behind, outputs) : before.Any(s => timed.Contains(s.Node));
        return !isWorthIt ? null : new Rewrite(behind.Count > 0 ? behind[^1].Value : layer.Output, null, e =>
        {
            int crossed = before.TakeWhile(s => e.Has(s.Value)).Count();
            ChannelAffine into = before.Take(crossed).Reverse().Aggregate(ChannelAffine.None(inputs), (sum, s) => sum.Then(s.Affine));
            ChannelAffine outOf = behind.Aggregate(ChannelAffine.None(outputs), (sum, s) => sum.Then(s.Affine));
            (Tensor weight, Tensor bias) = Fold(reader, layer, groups, into, outOf);
            e.Builder.NodeTo(
                [behind.Count > 0 ? behind[^1].Value : layer.Output], node.OpType, "",
                [crossed > 0 ? before[crossed - 1].Value : layer.Input, e.Constant(weight, $"{layer.Weight}/folded"), e.Constant(bias, $"{layer.Weight}/bias")], [.. node.Attribute.Select(a => a.Clone())]);
        })
        { Layer = layer.Name };
    }

    /// <summary>A step next to a convolution.</summary>
    /// <param name="Node">The node.</param>
    /// <param name="Value">What it computes, of one behind; what it reads, of one before.</param>
    /// <param name="Affine">What it makes of that.</param>
    private sealed record Step(int Node, string Value, ChannelAffine Affine);

    private static List<Step> Behind(AttentionReader reader, string value, int rank, int channels, HashSet<int> timed, IReadOnlySet<string> kept)
    {
        var steps = new List<Step>();
        while (!reader.View.IsOutput(value) && reader.View.Consumers(value) is [int next] && timed.Contains(next) && !kept.Contains(reader.View.Nodes[next].Output[0])
            && ChannelAffine.Of(reader, reader.View.Nodes[next], value, rank, channels) is { } affine)
        {
            value = reader.View.Nodes[next].Output[0];
            steps.Add(new Step(next, value, affine));
        }

        return steps;
    }

    /// <summary>The steps before a convolution, the nearest first: all or none, since what is left of them would take as long.</summary>
    private static List<Step> Before(AttentionReader reader, string value, int rank, int channels, bool padsNothing, IReadOnlySet<string> kept)
    {
        var steps = new List<Step>();
        while (!reader.View.IsOutput(value) && !kept.Contains(value) && reader.View.Consumers(value).Count == 1 && reader.View.Producer(value) is int maker && reader.View.Nodes[maker] is var node
            && node.Input.FirstOrDefault(i => !reader.View.Constants.Contains(i)) is string x && ChannelAffine.Of(reader, node, x, rank, channels) is { } affine
            && reader.Shapes.Of(x) is { } shape && shape.Length == rank && shape[1].Constant == channels)
        {
            value = x;
            steps.Add(new Step(maker, value, affine));
        }

        return reader.Maker(value) is { OpType: "Conv" or "ConvTranspose" } || (!padsNothing && steps.Any(s => s.Affine.Shift.Any(t => t != 0))) ? [] : steps;
    }

    private static bool PadsNothing(NodeProto node, long[] shape) => node.Text("auto_pad", "NOTSET") switch
    {
        "VALID" => true,
        "NOTSET" => node.Ints("pads")?.All(p => p == 0) != false,
        _ => shape.Skip(2).All(size => size == 1),
    };

    /// <summary>What the runtime (1.31) folds behind a Conv by itself: a BatchNormalization, a second operand with a number for each channel, a factor without dimensions.</summary>
    private static bool IsFoldedAnyway(AttentionReader reader, List<Step> steps, int channels) => steps.All(s => reader.View.Nodes[s.Node] is var node && (node.OpType == "BatchNormalization"
        || (node.OpType is "Add" or "Mul" && reader.View.Constants.Contains(node.Input[1]) && reader.Shapes.Of(node.Input[1]) is { } shape
            && (shape.Length == 0 ? node.OpType == "Mul" : shape.Length >= 3 && shape[^3].Constant == channels))));

    private static (Tensor Weight, Tensor Bias) Fold(AttentionReader reader, Layer layer, int groups, ChannelAffine before, ChannelAffine behind)
    {
        Tensor stored = ChannelAffine.Fixed(reader, layer.Weight)!;
        float[]? bias = layer.Bias is null ? null : ChannelAffine.Fixed(reader, layer.Bias)!.Values<float>().ToArray();
        float[] weight = stored.Values<float>().ToArray();
        bool isTransposed = layer.Kind == LayerKind.ConvTranspose;
        int places = (int)stored.Shape.Skip(2).Aggregate(1L, (product, size) => product * size);
        int perGroup = (isTransposed ? before.Channels : behind.Channels) / groups, second = (int)stored.Shape[1];
        var sums = new double[behind.Channels];
        for (int place = 0; place < weight.Length; place++)
        {
            int outer = place / places / second, inner = (outer / perGroup * second) + (place / places % second);
            (int from, int to) = isTransposed ? (outer, inner) : (inner, outer);
            sums[to] += weight[place] * before.Shift[from];
            weight[place] = (float)(weight[place] * before.Scale[from] * behind.Scale[to]);
        }

        return (Tensor.Of<float>(weight, stored.Shape), Tensor.Of<float>([.. sums.Select((sum, c) => (float)(((sum + (bias?[c] ?? 0)) * behind.Scale[c]) + behind.Shift[c]))], sums.Length));
    }
}
