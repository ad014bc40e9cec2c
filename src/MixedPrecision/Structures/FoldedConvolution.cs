using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Structures;

/// <summary>
/// A convolution with the constant factors and addends before and behind it in its weight and bias: W' = s_out · W · s_in and b' = s_out · (b + Σ W · t_in) + t_out. What comes before is left where
/// places beyond the edge are zeros and the addend is none.
/// </summary>
/// <param name="Layer">The convolution as the model has it.</param>
/// <param name="Input">What it reads now.</param>
/// <param name="Output">What it computes now.</param>
/// <param name="Steps">Nodes that it stands for besides its own.</param>
/// <param name="IsOfRuntime">Whether ONNX Runtime folds all of these by itself.</param>
/// <param name="Before">What they make of what is read.</param>
/// <param name="Behind">What they make of what is computed.</param>
internal sealed record FoldedConvolution(Layer Layer, string Input, string Output, IReadOnlyList<int> Steps, bool IsOfRuntime, ChannelAffine Before, ChannelAffine Behind)
{
    /// <summary>All of a model that take something in; no node is taken in twice.</summary>
    /// <param name="layers">The model's layers, in topological order.</param>
    public static IReadOnlyList<FoldedConvolution> Find(AttentionReader reader, IEnumerable<Layer> layers)
    {
        Layer[] convolutions = [.. layers.Where(l => l.Kind is LayerKind.Conv or LayerKind.ConvTranspose && IsFolding(reader, l))];
        if (convolutions.Length == 0)
        {
            return [];
        }

        HashSet<string> kept = [.. HardSigmoidRewrite.Steps(reader)];
        List<Step>[] behind = [.. convolutions.Select(l => StepsBehind(reader, l, kept))];

        // What is behind one convolution is not before another, too.
        kept.UnionWith(behind.SelectMany(steps => steps).Select(s => s.Value));
        return [.. convolutions.Zip(behind, (layer, steps) => Of(reader, layer, StepsBefore(reader, layer, kept), steps)).Where(f => f.Steps.Count > 0)];
    }

    /// <summary>The weight, in the shape of the layer's, and the bias; null where it adds nothing.</summary>
    public (Tensor Weight, Tensor? Bias) Constants(AttentionReader reader)
    {
        Tensor stored = ChannelAffine.Fixed(reader, Layer.Weight)!;
        float[]? bias = Layer.Bias is null ? null : ChannelAffine.Fixed(reader, Layer.Bias)!.Values<float>().ToArray();
        float[] weight = stored.Values<float>().ToArray();
        bool isTransposed = Layer.Kind == LayerKind.ConvTranspose;
        int places = (int)stored.Shape.Skip(2).Aggregate(1L, (product, size) => product * size), second = (int)stored.Shape[1];
        int perGroup = (int)((isTransposed ? Before.Channels : Behind.Channels) / reader.View.Nodes[Layer.Node].Int("group", 1));
        var sums = new double[Behind.Channels];
        for (int place = 0; place < weight.Length; place++)
        {
            int outer = place / places / second, inner = (outer / perGroup * second) + (place / places % second);
            (int from, int to) = isTransposed ? (outer, inner) : (inner, outer);
            sums[to] += weight[place] * Before.Shift[from];
            weight[place] = (float)(weight[place] * Before.Scale[from] * Behind.Scale[to]);
        }

        float[] added = [.. sums.Select((sum, c) => (float)(((sum + (bias?[c] ?? 0)) * Behind.Scale[c]) + Behind.Shift[c]))];
        return (Tensor.Of<float>(weight, stored.Shape), bias is null && added.All(a => a == 0) ? null : Tensor.Of<float>(added, added.Length));
    }

    private static FoldedConvolution Of(AttentionReader reader, Layer layer, List<Step> before, List<Step> behind)
    {
        (int inputs, int outputs) = Channels(reader, layer);
        return new FoldedConvolution(
            layer,
            before.Count > 0 ? before[^1].Value : layer.Input,
            behind.Count > 0 ? behind[^1].Value : layer.Output,
            [.. before.Concat(behind).Select(s => s.Node)],
            before.Count == 0 && IsFoldedByRuntime(reader, layer, behind, outputs),
            before.AsEnumerable().Reverse().Aggregate(ChannelAffine.None(inputs), (sum, s) => sum.Then(s.Affine)),
            behind.Aggregate(ChannelAffine.None(outputs), (sum, s) => sum.Then(s.Affine)));
    }

    /// <summary>A step next to a convolution.</summary>
    /// <param name="Node">The node.</param>
    /// <param name="Value">What it computes, of one behind; what it reads, of one before.</param>
    /// <param name="Affine">What it makes of that.</param>
    private sealed record Step(int Node, string Value, ChannelAffine Affine);

    /// <summary>Whether its weight and bias are constants that no app may replace.</summary>
    private static bool IsFolding(AttentionReader reader, Layer layer) => layer.WeightShape is { Length: > 2 } && ChannelAffine.IsFixed(reader, layer.Weight)
        && (layer.Bias is null || ChannelAffine.IsFixed(reader, layer.Bias)) && reader.Types.TryGetValue(layer.Output, out TensorType? type) && type.ElementType == ElementType.Float;

    private static (int Inputs, int Outputs) Channels(AttentionReader reader, Layer layer)
    {
        int groups = (int)reader.View.Nodes[layer.Node].Int("group", 1), first = (int)layer.WeightShape![0], second = (int)layer.WeightShape[1] * groups;
        return layer.Kind == LayerKind.ConvTranspose ? (first, second) : (second, first);
    }

    private static List<Step> StepsBehind(AttentionReader reader, Layer layer, HashSet<string> kept)
    {
        (string value, int channels) = (layer.Output, Channels(reader, layer).Outputs);
        var steps = new List<Step>();
        while (!reader.View.IsOutput(value) && reader.View.Consumers(value) is [int next] && !kept.Contains(reader.View.Nodes[next].Output[0])
            && ChannelAffine.Of(reader, reader.View.Nodes[next], value, layer.WeightShape!.Length, channels) is { } affine)
        {
            value = reader.View.Nodes[next].Output[0];
            steps.Add(new Step(next, value, affine));
        }

        return steps;
    }

    /// <summary>The steps before a convolution, the nearest first: all or none, since what is left of them would take as long.</summary>
    private static List<Step> StepsBefore(AttentionReader reader, Layer layer, HashSet<string> kept)
    {
        if (layer.Kind == LayerKind.ConvTranspose)
        {
            return [];
        }

        (string value, int rank, int channels) = (layer.Input, layer.WeightShape!.Length, Channels(reader, layer).Inputs);
        var steps = new List<Step>();
        while (!reader.View.IsOutput(value) && !kept.Contains(value) && reader.View.Consumers(value).Count == 1 && reader.View.Producer(value) is int maker && reader.View.Nodes[maker] is var node
            && node.Input.FirstOrDefault(i => !reader.View.Constants.Contains(i)) is string x && ChannelAffine.Of(reader, node, x, rank, channels) is { } affine
            && reader.Shapes.Of(x) is { } shape && shape.Length == rank && shape[1].Constant == channels)
        {
            value = x;
            steps.Add(new Step(maker, value, affine));
        }

        return steps.Any(s => s.Affine.Shift.Any(t => t != 0)) && !PadsNothing(reader.View.Nodes[layer.Node], layer.WeightShape) ? [] : steps;
    }

    private static bool PadsNothing(NodeProto node, long[] shape) => node.Text("auto_pad", "NOTSET") switch
    {
        "VALID" => true,
        "NOTSET" => node.Ints("pads")?.All(p => p == 0) != false,
        _ => shape.Skip(2).All(size => size == 1),
    };

    /// <summary>What the runtime (1.31) folds behind a Conv by itself: a BatchNormalization, a second operand with a number for each channel, a factor without dimensions.</summary>
    private static bool IsFoldedByRuntime(AttentionReader reader, Layer layer, List<Step> steps, int channels) => layer.Kind == LayerKind.Conv
        && steps.All(s => reader.View.Nodes[s.Node] is var node && (node.OpType == "BatchNormalization"
            || (node.OpType is "Add" or "Mul" && reader.View.Constants.Contains(node.Input[1]) && reader.Shapes.Of(node.Input[1]) is { } shape
                && (shape.Length == 0 ? node.OpType == "Mul" : shape.Length >= 3 && shape[^3].Constant == channels))));
}
