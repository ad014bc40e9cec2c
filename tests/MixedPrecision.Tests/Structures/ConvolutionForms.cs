using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>Convolutions, and what stands beside them, as exporters write them.</summary>
internal static class ConvolutionForms
{
    private const int C = ConvolutionModel.Channels;

    /// <summary>Factors and addends that convolutions take in.</summary>
    public static readonly IReadOnlyDictionary<string, ConvolutionForm> Folded = new Dictionary<string, ConvolutionForm>
    {
        ["Paddle, affine block behind"] = new(9, (m, x) => Affine(m, m.Norm(m.Conv(x, kernel: 3, pad: 1, bias: false))), "Mul", "Add", "BatchNormalization"),
        ["Paddle, affine blocks around the activation"] = new(9, (m, x) => Affine(m, m.Conv(Affine(m, HardSwish(m, Affine(m, m.Conv(x, kernel: 3, pad: 1)))))), "Add", "Div", "Clip", "BatchNormalization"),
        ["TorchScript, scale of each layer first"] = new(14, (m, x) => m.B.Node("Relu", [m.B.Mul(m.Random(1, 0, C, 1, 1), m.Conv(x))]), "Mul"),
        ["dynamo, scale behind a view"] = new(18, (m, x) => m.B.Mul(m.B.Node("Unsqueeze", [m.Random(1, 0, C), m.B.Integers(0, 2, 3)]), m.Conv(x, group: 4)), "Mul", "Unsqueeze"),
        ["tf2onnx, addend first, then a quotient"] = new(13, (m, x) => m.B.Div(m.B.Add(m.Random(1, 0, 1, C, 1, 1), m.Conv(x, bias: false)), m.Number(1.7)), "Add", "Div"),
        ["images normalized before"] = new(13, (m, x) => m.B.Sub(m.Conv(m.B.Div(m.B.Sub(x, m.Random(1, 0, 1, C, 1, 1)), m.Random(0.2, 1, 1, C, 1, 1)), kernel: 3), m.Number(1)), "Sub", "Div"),
        ["images scaled before padding"] = new(11, (m, x) => Affine(m, m.Conv(m.B.Mul(x, m.Number(1 / 255.0)), kernel: 3, pad: 1)), "Mul", "Add"),
        ["normalized before, another beside"] = new(17, (m, x) => m.B.Node("Relu", [m.Conv(x)]) is var v ? m.B.Add(m.Conv(v), m.Conv(m.Norm(v))) : "", "BatchNormalization"),
        ["subtracted from a number, groups"] = new(17, (m, x) => m.B.Sub(m.Number(1), m.Conv(x, group: 4, outputs: 8, kernel: 3)), "Sub"),
        ["before and behind, groups"] = new(17, (m, x) => m.B.Mul(m.Number(0.3, 1), m.Conv(m.B.Add(m.B.Mul(x, m.Random(1, 0, C, 1, 1)), m.Random(1, 0, C, 1, 1)), group: 4, outputs: 8, kernel: 3)), "Mul", "Add"),
        ["depthwise, dilated, strided"] = new(17, (m, x) => Affine(m, m.Conv(m.B.Mul(x, m.Random(1, 0, C, 1, 1)), group: C, kernel: 3, pad: 2, attributes:
            [Attributes.Of("dilations", [2L, 2L]), Attributes.Of("strides", [2L, 1L])])), "Mul", "Add"),
        ["same size by attribute"] = new(17, (m, x) => Affine(m, m.Conv(Affine(m, x), attributes: Attributes.Of("auto_pad", "SAME_UPPER"))), "Mul", "Add"),
        ["one dimension"] = new(17, (m, x) => Affine(m, m.Conv(Affine(m, x), kernel: 3, spatial: 1)), "Mul", "Add") { Spatial = 1 },
        ["three dimensions"] = new(17, (m, x) => Affine(m, m.Conv(m.B.Mul(x, m.Random(1, 0, 1, C, 1, 1, 1)), kernel: 3, pad: 1, spatial: 3)), "Mul", "Add") { Spatial = 3 },
        ["transposed, normalized"] = new(11, (m, x) => m.Norm(m.B.Node("ConvTranspose", [x, m.Random(0.4, 0, C, 8, 2, 2)], Attributes.Of("strides", [2L, 2L])), 8), "BatchNormalization"),
        ["transposed, groups"] = new(17, (m, x) => Affine(m, m.B.Node("ConvTranspose", [x, m.Random(0.4, 0, C, 3, 2, 2), m.Random(1, 0, 6)], Attributes.Of("group", 2), Attributes.Of("strides", [2L, 2L]))), "Mul", "Add"),
    };

    /// <summary>Factors and addends in a row that a convolution cannot take in.</summary>
    public static readonly IReadOnlyDictionary<string, ConvolutionForm> Normalized = new Dictionary<string, ConvolutionForm>
    {
        ["Paddle, affine block before padding"] = new(9, (m, x) => m.Conv(Affine(m, m.B.Node("Relu", [m.Conv(x)])), kernel: 3, pad: 1), "Mul", "Add"),
        ["affine block before a pool"] = new(14, (m, x) => m.B.Node("GlobalAveragePool", [Affine(m, m.B.Node("Relu", [m.Conv(x)]))]), "Mul", "Add"),
        ["three in a row, read twice"] = new(18, (m, x) => m.B.Div(m.B.Add(m.B.Mul(m.Random(1, 0, C, 1, 1), m.B.Node("Sigmoid", [m.Conv(x)])), m.Random(1, 0, C, 1, 1)), m.Number(3)) is var v ? m.B.Add(m.Conv(v), v) : "", "Mul", "Div"),
    };

    /// <summary>HardSigmoid and HardSwish written out.</summary>
    public static readonly IReadOnlyDictionary<string, ConvolutionForm> Activations = new Dictionary<string, ConvolutionForm>
    {
        ["Paddle"] = new(9, (m, x) => HardSwish(m, m.Conv(x)), "Clip", "Add", "Div"),
        ["TorchScript"] = new(13, (m, x) => m.Conv(x) is var v ? m.B.Div(m.B.Mul(v, m.Clip(m.B.Add(v, m.Number(3)), 0, 6)), m.Number(6)) : "", "Clip", "Add", "Div"),
        ["MobileNetV3 of others"] = new(11, (m, x) => m.Conv(x) is var v ? m.B.Mul(v, m.B.Div(m.Clip(m.B.Add(v, m.Number(3)), 0, 6), m.Number(6))) : "", "Clip", "Add", "Div"),
        ["Keras"] = new(13, (m, x) => m.Conv(x) is var v ? m.B.Mul(m.B.Mul(m.B.Node("Min", [m.B.Node("Relu", [m.B.Add(v, m.Number(3))]), m.Number(6)]), m.Number(1 / 6.0)), v) : "", "Relu", "Min", "Add"),
        ["Keras, HardSigmoid"] = new(13, (m, x) => m.Clip(m.B.Add(m.B.Mul(m.Conv(x), m.Number(0.2)), m.Number(0.5)), 0, 1), "Clip", "Add", "Mul"),
        ["TensorFlow"] = new(12, (m, x) => m.Conv(x) is var v ? m.B.Mul(v, m.B.Mul(m.B.Node("Min", [m.Number(6), m.B.Node("Max", [m.Number(0), m.B.Add(m.Number(3), v)])]), m.Number(1 / 6.0))) : "", "Min", "Max", "Add"),
        ["sixth before the addend"] = new(14, (m, x) => m.Conv(x) is var v ? m.B.Mul(v, m.Clip(m.B.Add(m.B.Div(v, m.Number(6)), m.Number(0.5)), 0, 1)) : "", "Clip", "Add", "Div"),
        ["HardSigmoid"] = new(14, (m, x) => m.B.Div(m.Clip(m.B.Add(m.Conv(x), m.Number(3)), 0, 6), m.Number(6)), "Clip", "Add", "Div"),
    };

    /// <summary>Means over space.</summary>
    public static readonly IReadOnlyDictionary<string, ConvolutionForm> Means = new Dictionary<string, ConvolutionForm>
    {
        ["TorchScript"] = new(13, (m, x) => m.Conv(m.Mean(m.Conv(x), -1, -2)), "ReduceMean"),
        ["tf2onnx"] = new(11, (m, x) => m.Conv(m.Mean(m.Conv(x), 2, 3)), "ReduceMean"),
        ["dynamo"] = new(18, (m, x) => m.Conv(m.Mean(m.Conv(x), -2, 3)), "ReduceMean"),
    };

    /// <summary>PRelu.</summary>
    public static readonly IReadOnlyDictionary<string, ConvolutionForm> Slopes = new Dictionary<string, ConvolutionForm>
    {
        ["TorchScript"] = new(11, (m, x) => m.B.Node("PRelu", [m.Conv(x), m.Random(0.8, 0, C, 1, 1)]), "PRelu"),
        ["behind a normalization"] = new(9, (m, x) => m.B.Node("PRelu", [m.Norm(m.Conv(x, kernel: 3, pad: 1)), m.Random(0.2, 0.2, C, 1, 1)]), "PRelu"),
        ["dynamo, behind a view"] = new(18, (m, x) => m.B.Node("PRelu", [m.Conv(x), m.B.Node("Unsqueeze", [m.Random(1, 0, C), m.B.Integers(1, 2)])]), "PRelu"),
        ["one slope, above 1"] = new(16, (m, x) => m.B.Node("PRelu", [m.Conv(x), m.Number(1.5, 1)]), "PRelu"),
    };

    /// <summary>What stays as it is.</summary>
    public static readonly IReadOnlyDictionary<string, ConvolutionForm> Other = new Dictionary<string, ConvolutionForm>
    {
        ["an addend before padding"] = new(17, (m, x) => m.Conv(m.B.Add(x, m.Random(1, 0, C, 1, 1)), kernel: 3, pad: 1)),
        ["an addend before padding by attribute"] = new(17, (m, x) => m.Conv(m.B.Add(x, m.Number(1)), kernel: 3, attributes: Attributes.Of("auto_pad", "SAME_UPPER"))),
        ["read twice"] = new(17, (m, x) => m.Conv(x) is var v ? m.B.Add(m.B.Node("Relu", [m.B.Mul(v, m.Number(2))]), v) : ""),
        ["a number for each column"] = new(17, (m, x) => m.B.Mul(m.Conv(x), m.Random(1, 0, C))),
        ["a number for each place"] = new(17, (m, x) => m.B.Add(m.Conv(x), m.Random(1, 0, 1, 1, 16, 16))),
        ["a number for each sample"] = new(17, (m, x) => m.B.Add(m.Conv(x), m.Random(1, 0, 2, 1, 1, 1))),
        ["a dimension more"] = new(17, (m, x) => m.B.Mul(m.Conv(x), m.Number(2, 1, 1, 1, 1, 1))),
        ["divided by it"] = new(17, (m, x) => m.B.Div(m.Number(2), m.Conv(x))),
        ["divided by zero"] = new(17, (m, x) => m.B.Div(m.Conv(x), m.Number(0))),
        ["no constant"] = new(17, (m, x) => m.B.Mul(m.Conv(x), m.B.Node("GlobalAveragePool", [x]))),
        ["limit of 5"] = new(17, (m, x) => m.Conv(x) is var v ? m.B.Div(m.B.Mul(v, m.Clip(m.B.Add(v, m.Number(3)), 0, 5)), m.Number(6)) : ""),
        ["limit below zero"] = new(17, (m, x) => m.Conv(x) is var v ? m.B.Div(m.B.Mul(v, m.Clip(m.B.Add(v, m.Number(3)), -1, 6)), m.Number(6)) : ""),
        ["product with another value"] = new(17, (m, x) => m.Conv(x) is var v ? m.B.Add(m.B.Div(m.B.Mul(x, m.Clip(m.B.Add(v, m.Number(3)), 0, 6)), m.Number(6)), v) : ""),
        ["sum that something else reads"] = new(17, (m, x) => m.Conv(x) is var v && m.B.Add(v, m.Number(3)) is var sum ? m.B.Add(m.B.Mul(v, m.B.Div(m.Clip(sum, 0, 6), m.Number(6))), sum) : ""),
        ["mean without the axes"] = new(17, (m, x) => m.B.Node("ReduceMean", [m.Conv(x)], Attributes.Of("axes", [2L, 3L]), Attributes.Of("keepdims", 0))),
        ["mean over channels"] = new(17, (m, x) => m.Mean(m.Conv(x), 1, 2)),
        ["mean over one axis"] = new(17, (m, x) => m.Mean(m.Conv(x), 3)),
        ["slopes above 1"] = new(16, (m, x) => m.B.Node("PRelu", [m.Conv(x), m.Random(0.5, 1, C, 1, 1)])),
        ["slopes for each column"] = new(16, (m, x) => m.B.Node("PRelu", [m.Conv(x), m.Random(0.5, 0, C)])),
        ["channels that no block holds"] = new(16, (m, x) => m.B.Node("PRelu", [m.Conv(x, outputs: 12), m.Random(0.5, 0, 12, 1, 1)])),
        ["slopes without a convolution"] = new(16, (m, x) => m.Conv(m.B.Node("PRelu", [x, m.Random(0.5, 0, C, 1, 1)]))),
    };

    /// <summary>What the runtime folds by itself.</summary>
    public static readonly IReadOnlyDictionary<string, ConvolutionForm> Anyway = new Dictionary<string, ConvolutionForm>
    {
        ["BatchNormalization"] = new(9, (m, x) => m.Norm(m.Conv(x, bias: false)), "BatchNormalization"),
        ["factor"] = new(17, (m, x) => m.B.Mul(m.Conv(x), m.Random(1, 0, C, 1, 1)), "Mul"),
        ["factor without dimensions"] = new(17, (m, x) => m.B.Mul(m.Conv(x), m.Number(2)), "Mul"),
        ["padding, opset 9"] = new(9, (m, x) => m.Conv(m.B.Node("Pad", [m.Conv(x)], Attributes.Of("pads", [0L, 0, 1, 1, 0, 0, 1, 1])), kernel: 3, pad: 1), "Pad"),
        ["padding, opset 13"] = new(13, (m, x) => m.Conv(m.B.Node("Pad", [m.Conv(x), m.B.Integers(0, 0, 1, 0, 0, 0, 2, 1), m.Number(0)]), kernel: 3), "Pad"),
        ["addend"] = new(17, (m, x) => m.B.Add(m.Conv(x, bias: false), m.Random(1, 0, 1, C, 1, 1)), "Add"),
    };

    private static string Affine(ConvolutionModel m, string x) => m.B.Add(m.B.Mul(m.Number(1.3, 1), x), m.Number(-0.4, 1));

    private static string HardSwish(ConvolutionModel m, string x) => m.B.Div(m.B.Mul(x, m.Clip(m.B.Add(x, m.Number(3)), 0, 6)), m.Number(6));
}
