using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Operators;

/// <summary>A model in ONNX Runtime, made as anyone would make it, which can be fed with sequences too.</summary>
internal sealed class RuntimeModel : IDisposable
{
    private readonly InferenceSession session;

    public RuntimeModel(ModelProto model)
    {
        using var options = new SessionOptions { LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL, IntraOpNumThreads = 1 };
        session = new InferenceSession(model.ToByteArray(), options);
    }

    /// <summary>The outputs that are tensors of numbers.</summary>
    public Dictionary<string, Tensor> Run(IReadOnlyDictionary<string, Fed> inputs)
    {
        string[] names = [.. session.InputNames];
        OrtValue[] values = [.. names.Select(n => inputs[n].ToRuntime())];
        try
        {
            using var options = new RunOptions();
            using IDisposableReadOnlyCollection<OrtValue> results = session.Run(options, names, values, session.OutputNames);
            return session.OutputNames.Zip(results).Where(r => r.Second.IsTensor && r.Second.GetTensorTypeAndShape() is { IsString: false }).ToDictionary(r => r.First, r => Copy(r.Second));
        }
        finally
        {
            Array.ForEach(values, v => v.Dispose());
        }
    }

    public void Dispose() => session.Dispose();

    private static Tensor Copy(OrtValue value)
    {
        OrtTensorTypeAndShapeInfo info = value.GetTensorTypeAndShape();
        return new Tensor((int)info.ElementDataType, info.Shape, info.ElementCount == 0 ? Array.Empty<byte>() : value.GetTensorDataAsSpan<byte>().ToArray());
    }
}
