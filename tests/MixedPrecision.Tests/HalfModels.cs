using System.Runtime.InteropServices;
using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests;

/// <summary>Models of float as models of half precision.</summary>
internal static class HalfModels
{
    public static ModelProto Narrow(ModelProto model)
    {
        ModelProto half = model.Clone();
        foreach (ValueInfoProto value in half.Graph.Input.Concat(half.Graph.Output).Where(v => v.Type.TensorType.ElemType == ElementType.Float))
        {
            value.Type.TensorType.ElemType = ElementType.Float16;
        }

        foreach (TensorProto tensor in half.Graph.Initializer.Where(t => t.DataType == ElementType.Float))
        {
            Tensor narrow = Narrow(TensorProtos.Read(tensor, new ExternalData(".")));
            tensor.DataType = ElementType.Float16;
            tensor.RawData = ByteString.CopyFrom(narrow.Bytes.Span);
        }

        return half;
    }

    public static Tensor Narrow(Tensor tensor)
    {
        Half[] values = [.. MemoryMarshal.ToEnumerable<byte>(tensor.Bytes).Chunk(4).Select(b => (Half)BitConverter.ToSingle(b))];
        return Tensor.Of<Half>(values, tensor.Shape);
    }
}
