using Google.Protobuf;
using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Onnx;
using TensorElementType = Microsoft.ML.OnnxRuntime.Tensors.TensorElementType;

namespace MixedPrecision.Benchmarks.Operators;

/// <summary>A value that is fed to a model: one tensor, or a sequence of them.</summary>
internal sealed record Fed(IReadOnlyList<Tensor> Tensors, bool IsSequence)
{
    public static Fed Of(Tensor tensor) => new([tensor], false);

    /// <summary>Reads a file of ONNX's test data.</summary>
    public static Fed Read(string file, TypeProto type)
    {
        using var none = new ExternalData("");
        byte[] bytes = File.ReadAllBytes(file);
        return type.ValueCase switch
        {
            TypeProto.ValueOneofCase.TensorType => Of(TensorProtos.Read(TensorProto.Parser.ParseFrom(bytes), none)),
            TypeProto.ValueOneofCase.SequenceType => new([.. SequenceElements(bytes).Select(p => TensorProtos.Read(p, none))], true),
            _ => throw new NotSupportedException("an optional value cannot be fed by ONNX Runtime's .NET API"),
        };
    }

    public OrtValue ToRuntime()
    {
        List<OrtValue> values = [.. Tensors.Select(ToRuntime)];
        return IsSequence ? OrtValue.CreateSequence(values) : values[0];
    }

    private static OrtValue ToRuntime(Tensor tensor)
    {
        var value = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, (TensorElementType)tensor.ElementType, tensor.Shape);
        if (tensor.Count > 0)
        {
            tensor.Bytes.Span.CopyTo(value.GetTensorMutableRawData());
        }

        return value;
    }

    /// <summary>The tensors of a SequenceProto, which are its field 3.</summary>
    private static IEnumerable<TensorProto> SequenceElements(byte[] bytes)
    {
        const int TensorValues = 3;
        var input = new CodedInputStream(bytes);
        while (input.ReadTag() is var tag && tag != 0)
        {
            if (WireFormat.GetTagFieldNumber(tag) != TensorValues)
            {
                input.SkipLastField();
                continue;
            }

            var element = new TensorProto();
            input.ReadMessage(element);
            yield return element;
        }
    }
}
