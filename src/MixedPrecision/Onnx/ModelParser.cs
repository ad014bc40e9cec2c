using Google.Protobuf;

namespace MixedPrecision.Onnx;

/// <summary>
/// Parses a model's file with the contents of its initializers left where they lie in the file's bytes: most of a file are these, and Protocol Buffers' own parser copies each, out of a
/// stream twice.
/// </summary>
internal static class ModelParser
{
    private const int LengthDelimited = 2;

    /// <param name="file">The whole file; the message refers to it.</param>
    /// <exception cref="InvalidProtocolBufferException">These bytes are no such message.</exception>
    public static ModelProto Parse(byte[] file)
    {
        var model = new ModelProto();

        // What it cannot divide is no message, or has an encoding that ONNX does not use: the library says which.
        return Merge(model, file, ModelProto.GraphFieldNumber, graph => Graph(model.Graph ??= new GraphProto(), graph)) ? model : ModelProto.Parser.ParseFrom(file);
    }

    private static bool Graph(GraphProto graph, ReadOnlyMemory<byte> bytes) => Merge(graph, bytes, GraphProto.InitializerFieldNumber, initializer =>
    {
        var tensor = new TensorProto();
        graph.Initializer.Add(tensor);
        return Merge(tensor, initializer, TensorProto.RawDataFieldNumber, data =>
        {
            tensor.RawData = UnsafeByteOperations.UnsafeWrap(data);
            return true;
        });
    });

    /// <summary>Merges bytes into a message, all but one field, which is left to <paramref name="own"/>; false where they cannot be divided into fields.</summary>
    private static bool Merge(IMessage message, ReadOnlyMemory<byte> bytes, int field, Func<ReadOnlyMemory<byte>, bool> own)
    {
        ReadOnlySpan<byte> span = bytes.Span;
        int merged = 0;
        for (int at = 0; at < span.Length;)
        {
            int start = at;
            if (!TryVarint(span, ref at, out ulong tag) || !TryEnd(span, ref at, (int)(tag & 7), out int content))
            {
                return false;
            }

            if (tag == (ulong)((field << 3) | LengthDelimited))
            {
                message.MergeFrom(span[merged..start]);
                merged = at;
                if (!own(bytes[content..at]))
                {
                    return false;
                }
            }
        }

        message.MergeFrom(span[merged..]);
        return true;
    }

    /// <summary>Goes to the end of a field, behind its tag.</summary>
    /// <param name="content">Where its content begins.</param>
    private static bool TryEnd(ReadOnlySpan<byte> span, ref int at, int wireType, out int content)
    {
        content = at;
        ulong length;
        switch (wireType)
        {
            case 0:
                return TryVarint(span, ref at, out _);
            case 1:
                length = sizeof(ulong);
                break;
            case LengthDelimited:
                if (!TryVarint(span, ref at, out length))
                {
                    return false;
                }

                content = at;
                break;
            case 5:
                length = sizeof(uint);
                break;
            default:
                return false;
        }

        if (length > (ulong)(span.Length - at))
        {
            return false;
        }

        at += (int)length;
        return true;
    }

    private static bool TryVarint(ReadOnlySpan<byte> span, ref int at, out ulong value)
    {
        value = 0;
        for (int shift = 0; shift < 64 && at < span.Length; shift += 7)
        {
            byte next = span[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
            {
                return true;
            }
        }

        return false;
    }
}
