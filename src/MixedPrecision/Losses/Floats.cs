using System.Runtime.InteropServices;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Losses;

/// <summary>Floating tensors in another floating type.</summary>
internal static class Floats
{
    /// <summary>The tensor itself if it is float; half precision and double converted.</summary>
    public static Tensor ToFloat(Tensor tensor)
    {
        if (tensor.ElementType != ElementType.Double)
        {
            return HalfPrecision.Widen(tensor);
        }

        var bytes = new byte[Tensor.ByteCount(ElementType.Float, tensor.Shape)];
        TensorPrimitives.ConvertTruncating(tensor.Values<double>(), MemoryMarshal.Cast<byte, float>(bytes.AsSpan()));
        return new Tensor(ElementType.Float, tensor.Shape, bytes);
    }

    /// <summary>A float tensor as double.</summary>
    public static Tensor ToDouble(Tensor tensor)
    {
        var values = new double[tensor.Count];
        TensorPrimitives.ConvertTruncating(tensor.Values<float>(), values);
        return Tensor.Of<double>(values, tensor.Shape);
    }

    /// <summary>Σ v².</summary>
    public static double SumOfSquares(ReadOnlySpan<float> values)
    {
        double sum = 0;
        foreach (float value in values)
        {
            sum += (double)value * value;
        }

        return sum;
    }

    /// <summary>Σ v, exact to double: blocks are summed in float.</summary>
    public static double Sum(ReadOnlySpan<float> values)
    {
        const int Block = 256;
        double sum = 0;
        for (; values.Length > Block; values = values[Block..])
        {
            sum += TensorPrimitives.Sum(values[..Block]);
        }

        return sum + TensorPrimitives.Sum(values);
    }
}
