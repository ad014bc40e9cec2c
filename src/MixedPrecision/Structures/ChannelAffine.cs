using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Structures;

/// <summary>x · scale + shift with constants for each channel, the second axis of x.</summary>
internal sealed record ChannelAffine(IReadOnlyList<double> Scale, IReadOnlyList<double> Shift)
{
    public int Channels => Scale.Count;

    public static ChannelAffine None(int channels) => new(Enumerable.Repeat(1.0, channels).ToArray(), new double[channels]);

    /// <summary>This, and another behind it.</summary>
    public ChannelAffine Then(ChannelAffine next) =>
        new([.. Scale.Zip(next.Scale, (a, b) => a * b)], [.. Enumerable.Range(0, Channels).Select(c => (Shift[c] * next.Scale[c]) + next.Shift[c])]);

    /// <summary>What a node makes of x [batch, channels, ...], when it is of this form; else null. Constants that an app may replace are none.</summary>
    /// <param name="rank">Dimensions of x, at least 3.</param>
    public static ChannelAffine? Of(AttentionReader reader, NodeProto node, string x, int rank, int channels)
    {
        if (node.Domain is not ("" or "ai.onnx") || node.Input.Count(i => i == x) != 1)
        {
            return null;
        }

        if (node.OpType == "BatchNormalization")
        {
            return OfNormalization(reader, node, x, channels);
        }

        bool isFirst = node.Input[0] == x;
        if (node.OpType is not ("Add" or "Sub" or "Mul" or "Div") || node.Input.Count != 2 || (node.OpType == "Div" && !isFirst)
            || Constants(reader, node.Input[isFirst ? 1 : 0], rank, channels) is not { } constants)
        {
            return null;
        }

        ChannelAffine none = None(channels);
        return Finite(node.OpType switch
        {
            "Mul" => none with { Scale = constants },
            "Div" => none with { Scale = [.. constants.Select(c => 1 / c)] },
            "Add" => none with { Shift = constants },
            _ when isFirst => none with { Shift = [.. constants.Select(c => -c)] },
            _ => new([.. none.Scale.Select(s => -s)], constants),
        });
    }

    /// <summary>A constant that is the same at all places of a channel: one number, or one for each channel.</summary>
    public static double[]? Constants(AttentionReader reader, string value, int rank, int channels)
    {
        if (Fixed(reader, value) is not { } tensor || tensor.Shape.Length > rank)
        {
            return null;
        }

        int axis = 1 - (rank - tensor.Shape.Length);
        if (tensor.Shape.Where((size, i) => size != 1 && i != axis).Any() || (tensor.Count != 1 && tensor.Count != channels))
        {
            return null;
        }

        float[] values = tensor.Values<float>().ToArray();
        return [.. Enumerable.Range(0, channels).Select(c => (double)values[values.Length == 1 ? 0 : c])];
    }

    /// <summary>Whether a value is a float constant that no app may replace.</summary>
    public static bool IsFixed(AttentionReader reader, string value) =>
        reader.View.Constants.Contains(value) && reader.Types.TryGetValue(value, out TensorType? type) && type.ElementType == ElementType.Float
        && !Region.StoredConstants(reader.View, value).Any(reader.Model.Defaults.Contains);

    /// <summary>Its tensor, or null where it is none.</summary>
    public static Tensor? Fixed(AttentionReader reader, string value) => IsFixed(reader, value) ? Weights.Read(reader.Model, reader.View, value) : null;

    private static ChannelAffine? OfNormalization(AttentionReader reader, NodeProto node, string x, int channels)
    {
        if (node.Input.Count != 5 || node.Input[0] != x || node.Output.Skip(1).Any(o => o.Length > 0) || node.Int("training_mode", 0) != 0 || node.Int("spatial", 1) != 1)
        {
            return null;
        }

        float[]?[] constants = [.. node.Input.Skip(1).Select(i => Fixed(reader, i) is { } tensor && tensor.Count == channels ? tensor.Values<float>().ToArray() : null)];
        if (constants is not [{ } scale, { } shift, { } mean, { } variance])
        {
            return null;
        }

        double epsilon = node.Float("epsilon", 1e-5f);
        double[] factors = [.. Enumerable.Range(0, channels).Select(c => scale[c] / Math.Sqrt(variance[c] + epsilon))];
        return Finite(new(factors, [.. Enumerable.Range(0, channels).Select(c => shift[c] - (mean[c] * factors[c]))]));
    }

    private static ChannelAffine? Finite(ChannelAffine affine) => affine.Scale.Concat(affine.Shift).All(double.IsFinite) ? affine : null;
}
