using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Onnx.Lowering;

namespace MixedPrecision.Benchmarks.Rivals;

/// <summary>
/// A model as users are told to prepare it before they quantize it with the tool that comes with ONNX Runtime (<c>quant_pre_process</c>): constants that old exporters list as inputs taken out of that list, the operator set raised to one that
/// scales of channels need, then what the runtime's own basic optimizations make of it, which fold normalizations into convolutions.
/// </summary>
internal static class RivalModel
{
    /// <summary>The first operator set in which DequantizeLinear has an axis.</summary>
    private const int FirstOpset = 13;

    /// <param name="path">The original, without external data.</param>
    /// <exception cref="OnnxRuntimeException">The runtime does not take it.</exception>
    public static OnnxModel Prepare(string path)
    {
        using OnnxModel original = OnnxModel.Load(path);
        OperatorSets.Raise(original.Proto, FirstOpset);
        return Optimize(original.Proto);
    }

    /// <summary>What the basic optimizations make of a model.</summary>
    public static OnnxModel Optimize(ModelProto model)
    {
        string file = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".onnx");
        try
        {
            Session.Create(model.ToByteArray(), SessionSettings.Default with { Optimization = GraphOptimizationLevel.ORT_ENABLE_BASIC, OptimizedFile = file }).Dispose();
            return OnnxModel.Load(file, "model.onnx");
        }
        finally
        {
            File.Delete(file);
        }
    }
}
