using MixedPrecision.Onnx;
using MixedPrecision.Tests.Structures;

namespace MixedPrecision.Tests.Quantization;

using static ConvolutionForms;

/// <summary>Constants beside convolutions, as exporters write them.</summary>
internal static class FoldedForms
{
    private const int C = ConvolutionModel.Channels;

    /// <summary>Factors and addends that the runtime leaves beside convolutions.</summary>
    public static readonly IReadOnlyDictionary<string, ConvolutionForm> Gaining = new Dictionary<string, ConvolutionForm>
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

    /// <summary>Those that the runtime folds by itself.</summary>
    public static readonly IReadOnlyDictionary<string, ConvolutionForm> OfRuntime = new Dictionary<string, ConvolutionForm>
    {
        ["BatchNormalization"] = new(9, (m, x) => m.Norm(m.Conv(x, bias: false)), "BatchNormalization"),
        ["factor"] = new(17, (m, x) => m.B.Mul(m.Conv(x), m.Random(1, 0, C, 1, 1)), "Mul"),
        ["factor without dimensions"] = new(17, (m, x) => m.B.Mul(m.Conv(x), m.Number(2)), "Mul"),
        ["addend"] = new(17, (m, x) => m.B.Add(m.Conv(x, bias: false), m.Random(1, 0, 1, C, 1, 1)), "Add"),
    };
}
