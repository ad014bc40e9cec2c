using System.Numerics;
using System.Runtime.CompilerServices;
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
            case ElementType.Float when !AreFinite(tensor.Values<float>()):
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

    /// <summary>Of a type that most weights have, and before much has run: the library's own is compiled without optimization at first, in which it takes ten times as long.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool AreFinite(ReadOnlySpan<float> values)
    {
        const int Exponent = 0x7F80_0000;
        ReadOnlySpan<int> bits = MemoryMarshal.Cast<float, int>(values);
        var exponent = new Vector<int>(Exponent);
        int i = 0;
        for (; i <= bits.Length - Vector<int>.Count; i += Vector<int>.Count)
        {
            if (Vector.EqualsAny(new Vector<int>(bits[i..]) & exponent, exponent))
            {
                return false;
            }
        }

        for (; i < bits.Length; i++)
        {
            if ((bits[i] & Exponent) == Exponent)
            {
                return false;
            }
        }

        return true;
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
