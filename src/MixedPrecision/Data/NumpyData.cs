using System.Buffers;
using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using Tensor = MixedPrecision.Onnx.Tensor;

namespace MixedPrecision.Data;

/// <summary>The data of an .npy file as one tensor per sample.</summary>
internal static class NumpyData
{
    private const int ReadStep = 1 << 20;

    /// <summary>The first rows of an array, each as a tensor of the element type asked for.</summary>
    /// <param name="stream">Stands behind the header.</param>
    /// <param name="header">What the bytes mean.</param>
    /// <param name="rows">How many rows; at most those that the array has.</param>
    /// <param name="elementType">The element type of the tensors.</param>
    /// <param name="file">The file for messages.</param>
    /// <param name="array">The array's name for messages.</param>
    /// <param name="isLabel">Whether 1.0 and true are taken for 1.</param>
    public static IReadOnlyList<Tensor> ReadRows(Stream stream, NumpyHeader header, int rows, int elementType, string file, string array, bool isLabel)
    {
        long rowBytes = Tensor.ByteCount(header.ElementType, header.RowShape);
        byte[]? whole = header.IsFortranOrder && header.Shape.Length > 1 ? ReadBytes(stream, rowBytes * header.Rows, file, array) : null;
        var tensors = new List<Tensor>();
        for (int row = 0; row < rows; row++)
        {
            byte[] bytes = whole is null ? ReadBytes(stream, rowBytes, file, array) : RowOfFortranOrder(whole, header, row);
            tensors.Add(Convert(bytes, header, elementType, new Place($"{file}[{row}]"), array, isLabel));
        }

        return tensors;
    }

    /// <summary>Exactly so many bytes; memory grows with what is there, not with what a header claims.</summary>
    public static byte[] ReadBytes(Stream stream, long count, string file, string array)
    {
        if (count > Array.MaxLength)
            throw Errors.DataNotNumpy(file, $"{Wording.Quote(array)} has {count} bytes, more than are read at once; save it in C order");
        byte[] bytes = new byte[Math.Min(count, ReadStep)];
        int length = 0;
        while (true)
        {
            length += stream.ReadAtLeast(bytes.AsSpan(length), bytes.Length - length, throwOnEndOfStream: false);
            if (length < bytes.Length)
                throw Errors.DataNotNumpy(file, $"{Wording.Quote(array)} ends too early; was it copied whole?");
            if (length == count)
                return bytes;
            Array.Resize(ref bytes, (int)Math.Min(count, bytes.Length * 2L));
        }
    }

    private static byte[] RowOfFortranOrder(byte[] whole, NumpyHeader header, int row)
    {
        long[] shape = header.RowShape;
        int size = header.ElementSize;
        var strides = new long[shape.Length];
        long stride = header.Rows;
        for (int axis = 0; axis < shape.Length; axis++)
        {
            strides[axis] = stride;
            stride *= shape[axis];
        }

        byte[] bytes = new byte[Tensor.ByteCount(header.ElementType, shape)];
        var index = new long[shape.Length];
        for (int target = 0; target < bytes.Length; target += size)
        {
            long source = row;
            for (int axis = 0; axis < shape.Length; axis++)
                source += index[axis] * strides[axis];
            whole.AsSpan((int)(source * size), size).CopyTo(bytes.AsSpan(target));
            for (int axis = shape.Length - 1; axis >= 0 && ++index[axis] == shape[axis]; axis--)
                index[axis] = 0;
        }

        return bytes;
    }

    private static Tensor Convert(byte[] bytes, NumpyHeader header, int elementType, Place place, string array, bool isLabel)
    {
        if (header.ElementType == elementType && IsCopyable(bytes, elementType))
            return new Tensor(elementType, header.RowShape, bytes);
        var converted = new ArrayBufferWriter<byte>(Math.Max(1, bytes.Length));
        for (int offset = 0; offset < bytes.Length; offset += header.ElementSize)
        {
            Element element = ElementAt(bytes.AsSpan(offset), header.ElementType);
            if (!ElementWriter.TryWrite(isLabel ? element.AsWhole() : element, elementType, converted))
                throw Errors.DataWrongType(place, array, $"{element} ({ElementType.Name(header.ElementType)})", ElementWriter.Expected(elementType));
        }

        return new Tensor(elementType, header.RowShape, converted.WrittenSpan.ToArray());
    }

    /// <summary>Whether bytes of the right type hold only what the type allows: truth values are 0 or 1, numbers are numbers.</summary>
    private static bool IsCopyable(byte[] bytes, int elementType) => elementType switch
    {
        ElementType.Bool => !bytes.AsSpan().ContainsAnyExceptInRange((byte)0, (byte)1),
        ElementType.Float => !TensorPrimitives.IsNaNAny(MemoryMarshal.Cast<byte, float>(bytes)),
        ElementType.Double => !TensorPrimitives.IsNaNAny(MemoryMarshal.Cast<byte, double>(bytes)),
        ElementType.Float16 => !TensorPrimitives.IsNaNAny(MemoryMarshal.Cast<byte, Half>(bytes)),
        _ => true,
    };

    private static Element ElementAt(ReadOnlySpan<byte> bytes, int elementType) => elementType switch
    {
        ElementType.Bool when bytes[0] <= 1 => Element.OfBoolean(bytes[0] == 1),
        ElementType.Bool or ElementType.UInt8 => Element.OfInteger(bytes[0]),
        ElementType.Int8 => Element.OfInteger((sbyte)bytes[0]),
        ElementType.Int16 => Element.OfInteger(BinaryPrimitives.ReadInt16LittleEndian(bytes)),
        ElementType.UInt16 => Element.OfInteger(BinaryPrimitives.ReadUInt16LittleEndian(bytes)),
        ElementType.Int32 => Element.OfInteger(BinaryPrimitives.ReadInt32LittleEndian(bytes)),
        ElementType.UInt32 => Element.OfInteger(BinaryPrimitives.ReadUInt32LittleEndian(bytes)),
        ElementType.Int64 => Element.OfInteger(BinaryPrimitives.ReadInt64LittleEndian(bytes)),
        ElementType.UInt64 => Element.OfInteger(BinaryPrimitives.ReadUInt64LittleEndian(bytes)),
        ElementType.Float16 => Element.OfReal((double)BinaryPrimitives.ReadHalfLittleEndian(bytes)),
        ElementType.Float => Element.OfReal(BinaryPrimitives.ReadSingleLittleEndian(bytes)),
        _ => Element.OfReal(BinaryPrimitives.ReadDoubleLittleEndian(bytes)),
    };
}
