using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Structures;

/// <summary>
/// BatchNormalization in place of several constant factors and addends in a row that no convolution takes in: one pass in the blocked layout of convolutions, which operands of single
/// numbers break.
/// </summary>
internal static class AffineNormalization
{
    /// <summary>The first version of the operator that has no mode for training unless it is asked for.</summary>
    private const int Opset = 7;

    public static IEnumerable<Rewrite> Find(StructureSite site)
    {
        if (site.Model.Opset < Opset || site.Subgraph.Layers.All(l => l.Kind != LayerKind.Conv))
        {
            return [];
        }

        var reader = new AttentionReader(site.Model, site.Partition.View, site.Types);
        IReadOnlySet<string> kept = HardSigmoidRewrite.Steps(reader);
        HashSet<int> timed = [.. site.Subgraph.Timed];
        return timed.Select(n => At(reader, reader.View.Nodes[n], timed, kept)).OfType<Rewrite>();
    }

    /// <param name="kept">What steps of other rewrites compute, which are not to be taken apart.</param>
    private static Rewrite? At(AttentionReader reader, NodeProto last, HashSet<int> timed, IReadOnlySet<string> kept)
    {
        if (last.Operator() is not ("Add" or "Sub" or "Mul" or "Div") || reader.Shape(last.Output[0], 4) is not { } shape || shape[1].Constant is not (> 0 and long count)
            || !reader.Types.TryGetValue(last.Output[0], out TensorType? type) || type.ElementType != ElementType.Float)
        {
            return null;
        }

        int channels = (int)count;
        (string X, ChannelAffine Affine)? Step(NodeProto node) => node.Output.Count == 1 && !kept.Contains(node.Output[0]) && node.Input.FirstOrDefault(i => !reader.View.Constants.Contains(i)) is string x
            && reader.Shapes.Of(x)?.SequenceEqual(shape) == true && ChannelAffine.Of(reader, node, x, 4, channels) is { } affine ? (x, affine) : null;
        string output = last.Output[0], value = output;
        if (reader.View.Consumers(output) is [int reading] && timed.Contains(reading) && !reader.View.IsOutput(output) && Step(reader.View.Nodes[reading]) is not null)
        {
            return null;
        }

        ChannelAffine all = ChannelAffine.None(channels);
        int steps = 0;
        while (reader.View.Producer(value) is int maker && timed.Contains(maker) && (steps == 0 || (reader.View.Consumers(value).Count == 1 && !reader.View.IsOutput(value)))
            && Step(reader.View.Nodes[maker]) is var (x, affine))
        {
            (value, all, steps) = (x, affine.Then(all), steps + 1);
        }

        return steps < 2 || reader.Maker(value) is null ? null : new Rewrite(output, null, e =>
        {
            string Vector(IEnumerable<double> values, string hint) => e.Constant(Tensor.Of<float>([.. values.Select(v => (float)v)], channels), hint);
            ChannelAffine none = ChannelAffine.None(channels);
            e.Builder.NodeTo(
                [output], "BatchNormalization", "", [value, Vector(all.Scale, "scale"), Vector(all.Shift, "shift"), Vector(none.Shift, "mean"), Vector(none.Scale, "variance")], Attributes.Of("epsilon", 0f));
        });
    }
}
