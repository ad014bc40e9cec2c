using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarking;

/// <summary>Brings tensors to other sizes without making up a value: elements are only copied, so that tokens and flags stay valid.</summary>
internal static class Tiling
{
    /// <summary>The tensor with another size along an axis: its start, or its elements in a cycle. Of an empty axis there is nothing to repeat: zeros.</summary>
    public static Tensor Resize(Tensor tensor, int axis, long size)
    {
        long old = tensor.Shape[axis];
        if (old == size)
        {
            return tensor;
        }

        (long outer, int row) = Rows(tensor, axis);
        long[] shape = [.. tensor.Shape];
        shape[axis] = size;
        byte[] bytes = new byte[Tensor.ByteCount(tensor.ElementType, shape)];
        ReadOnlySpan<byte> source = tensor.Bytes.Span;
        for (long o = 0; old > 0 && o < outer; o++)
        {
            for (long i = 0; i < size; i++)
            {
                source.Slice((int)((o * old) + (i % old)) * row, row).CopyTo(bytes.AsSpan((int)((o * size) + i) * row));
            }
        }

        return new Tensor(tensor.ElementType, shape, bytes);
    }

    /// <summary>Tensors of equal sizes but for one axis, one after the other along it.</summary>
    public static Tensor Concatenate(IReadOnlyList<Tensor> tensors, int axis)
    {
        long[] shape = [.. tensors[0].Shape];
        shape[axis] = tensors.Sum(t => t.Shape[axis]);
        byte[] bytes = new byte[Tensor.ByteCount(tensors[0].ElementType, shape)];
        (long outer, int row) = Rows(tensors[0], axis);
        int written = 0;
        for (int o = 0; o < outer; o++)
        {
            foreach (Tensor tensor in tensors)
            {
                int length = (int)tensor.Shape[axis] * row;
                tensor.Bytes.Span.Slice(o * length, length).CopyTo(bytes.AsSpan(written));
                written += length;
            }
        }

        return new Tensor(tensors[0].ElementType, shape, bytes);
    }

    /// <summary>How many times the axis runs through, and the bytes of one step along it.</summary>
    private static (long Outer, int RowBytes) Rows(Tensor tensor, int axis) => (
        Tensor.ElementCount(tensor.Shape.AsSpan(0, axis)),
        (int)(Tensor.ElementCount(tensor.Shape.AsSpan(axis + 1)) * ElementType.BitsOf(tensor.ElementType) / 8));
}
