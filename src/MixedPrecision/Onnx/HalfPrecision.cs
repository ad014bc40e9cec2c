using System.Runtime.InteropServices;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Onnx;

/// <summary>float16 and bfloat16 values as float, in which both are exact.</summary>
public static class HalfPrecision
{
    public static bool IsHalf(int elementType) => elementType is ElementType.Float16 or ElementType.BFloat16;

    /// <summary>A type with float in place of half precision.</summary>
    public static TensorType Widen(TensorType type) => IsHalf(type.ElementType) ? type with { ElementType = ElementType.Float } : type;

    /// <summary>The tensor as float: itself when it is.</summary>
    public static Tensor Widen(Tensor tensor)
    {
        if (!IsHalf(tensor.ElementType))
        {
            return tensor;
        }

        var values = new float[tensor.Count];
        Widen(tensor, 0, values);
        return Tensor.Of<float>(values, tensor.Shape);
    }

    /// <summary>Reads elements of a tensor of float, float16 or bfloat16.</summary>
    public static void Widen(Tensor tensor, long first, Span<float> values)
    {
        if (tensor.ElementType == ElementType.Float)
        {
            tensor.Values<float>().Slice((int)first, values.Length).CopyTo(values);
            return;
        }

        ReadOnlySpan<ushort> bits = MemoryMarshal.Cast<byte, ushort>(tensor.Bytes.Span).Slice((int)first, values.Length);
        if (tensor.ElementType == ElementType.Float16)
        {
            TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<ushort, Half>(bits), values);
            return;
        }

        for (int i = 0; i < values.Length; i++)
        {
            values[i] = BitConverter.Int32BitsToSingle(bits[i] << 16);
        }
    }
}
