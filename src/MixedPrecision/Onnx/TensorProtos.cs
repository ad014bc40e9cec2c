using System.Runtime.InteropServices;
using Google.Protobuf;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Onnx;

/// <summary>Between <see cref="TensorProto"/> and <see cref="Tensor"/>.</summary>
public static class TensorProtos
{
    /// <summary>Bytes of the largest tensor that is read as one piece.</summary>
    public const long LargestRead = int.MaxValue;

    /// <summary>Whether a tensor, half precision as float, is larger than what is read as one piece: it is carried along unread.</summary>
    public static bool IsTooLargeToRead(TensorProto proto) =>
        ElementType.BitsOf(proto.DataType) > 0 && ByteCount(proto) > LargestRead / (HalfPrecision.IsHalf(proto.DataType) ? 2 : 1);

    /// <summary>The bytes a tensor of this message needs; elements without a fixed size and sizes that no file has are an error.</summary>
    public static long ByteCount(TensorProto proto)
    {
        if (ElementType.BitsOf(proto.DataType) == 0)
        {
            throw Errors.TensorInvalid(proto.Name, $"{ElementType.Name(proto.DataType)} elements");
        }

        try
        {
            long bytes = proto.Dims.Any(d => d < 0) ? -1 : Tensor.ByteCount(proto.DataType, [.. proto.Dims]);
            return bytes >= 0 ? bytes : throw Errors.TensorInvalid(proto.Name, $"shape [{string.Join(", ", proto.Dims)}]");
        }
        catch (OverflowException)
        {
            throw Errors.TensorInvalid(proto.Name, $"shape [{string.Join(", ", proto.Dims)}]");
        }
    }

    /// <summary>The tensor of a message; external data is mapped through <paramref name="external"/>.</summary>
    public static Tensor Read(TensorProto proto, ExternalData external)
    {
        long byteCount = ByteCount(proto);
        ReadOnlyMemory<byte> bytes = ModelTensors.IsExternal(proto) ? external.Read(proto)
            : proto.HasRawData ? proto.RawData.Memory
            : TypedData(proto);
        return bytes.Length == byteCount
            ? new Tensor(proto.DataType, [.. proto.Dims], bytes)
            : throw Errors.TensorInvalid(proto.Name, $"{bytes.Length} bytes of data where shape [{string.Join(", ", proto.Dims)}] needs {byteCount}");
    }

    /// <summary>Brings the data of an external tensor into its message.</summary>
    public static void Embed(TensorProto proto, ExternalData external)
    {
        proto.RawData = ByteString.CopyFrom(Read(proto, external).Bytes.Span);
        proto.ExternalData.Clear();
        proto.ClearDataLocation();
    }

    /// <summary>Brings the data of typed fields into the raw field, which alone can be moved to a file.</summary>
    public static void Pack(TensorProto proto)
    {
        proto.RawData = ByteString.CopyFrom(TypedData(proto).Span);
        proto.FloatData.Clear();
        proto.DoubleData.Clear();
        proto.Int32Data.Clear();
        proto.Int64Data.Clear();
        proto.Uint64Data.Clear();
    }

    /// <summary>A message with the tensor's bytes as raw data.</summary>
    public static TensorProto ToProto(this Tensor tensor, string name)
    {
        var proto = new TensorProto { Name = name, DataType = tensor.ElementType, RawData = ByteString.CopyFrom(tensor.Bytes.Span) };
        proto.Dims.AddRange(tensor.Shape);
        return proto;
    }

    /// <summary>The typed fields as bytes; which field holds which type is ONNX's rule (onnx.proto, TensorProto).</summary>
    private static ReadOnlyMemory<byte> TypedData(TensorProto proto) => proto.DataType switch
    {
        ElementType.Float or ElementType.Complex64 => Bytes<float>([.. proto.FloatData]),
        ElementType.Double or ElementType.Complex128 => Bytes<double>([.. proto.DoubleData]),
        ElementType.Int64 => Bytes<long>([.. proto.Int64Data]),
        ElementType.UInt64 => Bytes<ulong>([.. proto.Uint64Data]),
        ElementType.UInt32 => Bytes<uint>([.. proto.Uint64Data.Select(v => unchecked((uint)v))]),
        ElementType.Int32 => Bytes<int>([.. proto.Int32Data]),
        _ => ElementType.BitsOf(proto.DataType) == 16
            ? Bytes<ushort>([.. proto.Int32Data.Select(v => unchecked((ushort)v))])
            : Bytes<byte>([.. proto.Int32Data.Select(v => unchecked((byte)v))]),
    };

    private static byte[] Bytes<T>(T[] values) where T : unmanaged => MemoryMarshal.AsBytes<T>(values).ToArray();
}
