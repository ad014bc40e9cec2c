using MixedPrecision.Data;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Rivals;

/// <summary>One way to call the tool that comes with ONNX Runtime.</summary>
/// <param name="Name">What its row is called.</param>
/// <param name="Quantize">From the prepared model and calibration samples.</param>
internal sealed record RivalSettings(string Name, Func<OnnxModel, IReadOnlyList<Sample>, ModelProto> Quantize)
{
    public static readonly IReadOnlyList<RivalSettings> All =
    [
        new("tool: static QDQ, per channel", (model, samples) => StaticQdq.Quantize(model, samples, QdqOperators.All)),
        new("tool: static QDQ, Conv only", (model, samples) => StaticQdq.Quantize(model, samples, ["Conv"])),
        new("tool: dynamic, QInt8", (model, _) => DynamicIntegers.Quantize(model, perChannel: false, isSigned: true)),
        new("tool: dynamic, QInt8 per channel", (model, _) => DynamicIntegers.Quantize(model, perChannel: true, isSigned: true)),
        new("tool: dynamic, QUInt8", (model, _) => DynamicIntegers.Quantize(model, perChannel: false, isSigned: false)),
    ];
}
