using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Structures;

/// <summary>Convolutions, and what stands beside them, as exporters write them.</summary>
internal static class ConvolutionForms
{
    private const int C = ConvolutionModel.Channels;

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
        ["a block that is filled up"] = new(11, (m, x) => m.B.Node("PRelu", [m.Conv(x, outputs: 20), m.Random(0.8, 0, 20, 1, 1)]), "PRelu"),
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
        ["channels that no block holds"] = new(16, (m, x) => m.B.Node("PRelu", [m.Conv(x, outputs: 18), m.Random(0.5, 0, 18, 1, 1)])),
        ["slopes without a convolution"] = new(16, (m, x) => m.Conv(m.B.Node("PRelu", [x, m.Random(0.5, 0, C, 1, 1)]))),
    };

    /// <summary>What the runtime folds by itself.</summary>
    public static readonly IReadOnlyDictionary<string, ConvolutionForm> Anyway = new Dictionary<string, ConvolutionForm>
    {
        ["padding, opset 9"] = new(9, (m, x) => m.Conv(m.B.Node("Pad", [m.Conv(x)], Attributes.Of("pads", [0L, 0, 1, 1, 0, 0, 1, 1])), kernel: 3, pad: 1), "Pad"),
        ["padding, opset 13"] = new(13, (m, x) => m.Conv(m.B.Node("Pad", [m.Conv(x), m.B.Integers(0, 0, 1, 0, 0, 0, 2, 1), m.Number(0)]), kernel: 3), "Pad"),
    };

    public static string Affine(ConvolutionModel m, string x) => m.B.Add(m.B.Mul(m.Number(1.3, 1), x), m.Number(-0.4, 1));

    public static string HardSwish(ConvolutionModel m, string x) => m.B.Div(m.B.Mul(x, m.Clip(m.B.Add(x, m.Number(3)), 0, 6)), m.Number(6));
}
