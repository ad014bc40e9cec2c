using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Operators;

/// <summary>Floating tensors as arrays of double and back.</summary>
internal static class Reals
{
    public static double[] Of(Tensor tensor) => tensor.ElementType == ElementType.Double
        ? tensor.Values<double>().ToArray()
        : [.. HalfPrecision.Widen(tensor).Values<float>().ToArray().Select(v => (double)v)];

    public static Tensor ToTensor(double[] values, long[] shape, int elementType) => elementType switch
    {
        ElementType.Double => Tensor.Of<double>(values, shape),
        ElementType.Float => Tensor.Of<float>([.. values.Select(v => (float)v)], shape),
        ElementType.Float16 => Tensor.Of<Half>([.. values.Select(v => (Half)v)], shape),
        _ => new Tensor(elementType, shape, System.Runtime.InteropServices.MemoryMarshal.AsBytes<ushort>([.. values.Select(v => (ushort)(BitConverter.SingleToInt32Bits((float)v) >> 16))]).ToArray()),
    };

    public static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
