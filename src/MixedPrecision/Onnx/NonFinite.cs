using System.Runtime.InteropServices;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Onnx;

/// <summary>Finds NaN and infinities in tensors of floating types.</summary>
public static class NonFinite
{
    /// <summary>The first value that is no finite number and where it stands, such as <c>NaN at [7, 3]</c>; null when there is none, or the type has none.</summary>
    public static string? In(Tensor tensor)
    {
        switch (tensor.ElementType)
        {
            case ElementType.Float when !TensorPrimitives.IsFiniteAll(tensor.Values<float>()):
                return First(tensor, i => tensor.Values<float>()[i]);
            case ElementType.Double when !TensorPrimitives.IsFiniteAll(tensor.Values<double>()):
                return First(tensor, i => tensor.Values<double>()[i]);
            case ElementType.Float16 when !TensorPrimitives.IsFiniteAll(tensor.Values<Half>()):
                return First(tensor, i => (double)tensor.Values<Half>()[i]);
            case ElementType.BFloat16:
                return First(tensor, i => BitConverter.UInt32BitsToSingle((uint)MemoryMarshal.Cast<byte, ushort>(tensor.Bytes.Span)[i] << 16));
            default:
                return null;
        }
    }

    private static string? First(Tensor tensor, Func<int, double> at)
    {
        for (int i = 0; i < tensor.Count; i++)
        {
            if (at(i) is double value && !double.IsFinite(value))
            {
                string name = double.IsNaN(value) ? "NaN" : value > 0 ? "infinity" : "−infinity";
                return tensor.Rank == 0 ? name : $"{name} at [{string.Join(", ", Index(tensor.Shape, i))}]";
            }
        }

        return null;
    }

    private static long[] Index(long[] shape, long flat)
    {
        var index = new long[shape.Length];
        for (int axis = shape.Length - 1; axis >= 0; axis--)
        {
            (flat, index[axis]) = Math.DivRem(flat, shape[axis]);
        }

        return index;
    }
}
