using System.Runtime.InteropServices;

namespace MixedPrecision.Onnx;

/// <summary>
/// A dense tensor: element type, shape and its elements as little-endian bytes, row-major. Elements of 4 and 2 bits share
/// bytes, the lowest bits first. The bytes may be a view of a mapped file and are then never copied.
/// </summary>
public sealed class Tensor
{
    /// <param name="elementType">A constant of <see cref="Onnx.ElementType"/>.</param>
    /// <param name="shape">Sizes; empty for a scalar.</param>
    /// <param name="bytes">Exactly as many bytes as type and shape need.</param>
    public Tensor(int elementType, long[] shape, ReadOnlyMemory<byte> bytes)
    {
        long expected = ByteCount(elementType, shape);
        if (expected != bytes.Length)
        {
            throw new ArgumentException($"{Onnx.ElementType.Name(elementType)} [{string.Join(", ", shape)}] needs {expected} bytes, not {bytes.Length}");
        }

        ElementType = elementType;
        Shape = shape;
        Bytes = bytes;
    }

    public int ElementType { get; }

    public long[] Shape { get; }

    public ReadOnlyMemory<byte> Bytes { get; }

    public int Rank => Shape.Length;

    /// <summary>Number of elements.</summary>
    public long Count => ElementCount(Shape);

    /// <summary>The elements, without a copy. <typeparamref name="T"/> has to be the .NET type of the element type.</summary>
    public ReadOnlySpan<T> Values<T>() where T : unmanaged
    {
        if (Onnx.ElementType.Of<T>() != ElementType)
        {
            throw new InvalidOperationException($"tensor holds {Onnx.ElementType.Name(ElementType)}, not {typeof(T).Name}");
        }

        return MemoryMarshal.Cast<byte, T>(Bytes.Span);
    }

    /// <summary>A tensor with a copy of the values.</summary>
    public static Tensor Of<T>(ReadOnlySpan<T> values, params long[] shape) where T : unmanaged =>
        new(Onnx.ElementType.Of<T>(), shape, MemoryMarshal.AsBytes(values).ToArray());

    public static Tensor Scalar<T>(T value) where T : unmanaged => Of<T>([value]);

    /// <summary>Product of the sizes; throws <see cref="OverflowException"/> when it does not fit in 64 bits.</summary>
    public static long ElementCount(ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long size in shape)
        {
            count = checked(count * size);
        }

        return count;
    }

    /// <summary>Bytes that a tensor of this type and shape occupies; elements of 4 and 2 bits are packed.</summary>
    public static long ByteCount(int elementType, ReadOnlySpan<long> shape) =>
        checked((ElementCount(shape) * Onnx.ElementType.BitsOf(elementType)) + 7) / 8;

    public override string ToString() => $"{Onnx.ElementType.Name(ElementType)} [{string.Join(", ", Shape)}]";
}
