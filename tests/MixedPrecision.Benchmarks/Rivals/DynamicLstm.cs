using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Rivals;

/// <summary>LSTM as com.microsoft.DynamicQuantizeLSTM: weights as [directions, inputs, 4·hidden], with a scale for each direction or for each of its columns.</summary>
internal static class DynamicLstm
{
    private const int Optional = 8;

    public static void Write(GraphBuilder builder, NodeProto node, Tensor weight, Tensor recurrent, bool perChannel)
    {
        string[] w = Rounded(builder, weight, perChannel), r = Rounded(builder, recurrent, perChannel);
        string[] inputs = [node.Input[0], w[0], r[0], .. Enumerable.Range(3, Optional - 3).Select(i => node.Input.Count > i ? node.Input[i] : ""), w[1], w[2], r[1], r[2]];
        builder.NodeTo([.. node.Output], "DynamicQuantizeLSTM", "com.microsoft", inputs, [.. node.Attribute]);
    }

    /// <summary>Names of a weight's integers, scales and zero points.</summary>
    /// <param name="weight">[directions, 4·hidden, inputs].</param>
    private static string[] Rounded(GraphBuilder builder, Tensor weight, bool perChannel)
    {
        long directions = weight.Shape[0], outputs = weight.Shape[1], inputs = weight.Shape[2];
        long[] grouped = perChannel ? [directions * outputs, inputs] : [directions, outputs * inputs];
        RoundedConstant rounded = RoundedConstants.Signed(new Tensor(weight.ElementType, grouped, weight.Bytes), 0);
        ReadOnlySpan<byte> values = rounded.Values.Bytes.Span;
        var turned = new byte[values.Length];
        for (int i = 0; i < turned.Length; i++)
        {
            long direction = i / (outputs * inputs), output = i / inputs % outputs, input = i % inputs;
            turned[(((direction * inputs) + input) * outputs) + output] = values[i];
        }

        long[] scales = perChannel ? [directions, outputs] : [directions];
        return
        [
            builder.Constant(new Tensor(ElementType.Int8, [directions, inputs, outputs], turned), "weight_quantized"),
            builder.Constant(new Tensor(ElementType.Float, scales, rounded.Scales.Bytes), "scale"),
            builder.Constant(new Tensor(ElementType.Int8, scales, rounded.ZeroPoints.Bytes), "zero_point"),
        ];
    }
}
