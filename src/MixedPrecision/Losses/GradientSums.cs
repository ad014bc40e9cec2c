using System.Runtime.InteropServices;
using MixedPrecision.Onnx;

namespace MixedPrecision.Losses;

/// <summary>Gradients by output, as losses add to them. An output that no loss adds to has none.</summary>
internal sealed class GradientSums(IReadOnlyDictionary<string, Tensor> outputs)
{
    private readonly Dictionary<string, byte[]> sums = [];

    /// <summary>The sum so far of an output's gradient, zero at first; as float whatever the output's type.</summary>
    public Span<float> Of(string output)
    {
        if (!sums.TryGetValue(output, out byte[]? sum))
        {
            sums.Add(output, sum = new byte[Tensor.ByteCount(ElementType.Float, outputs[output].Shape)]);
        }

        return MemoryMarshal.Cast<byte, float>(sum.AsSpan());
    }

    /// <summary>The gradients, each of its output's shape: double for an output of double, else float.</summary>
    public IReadOnlyDictionary<string, Tensor> Result() => sums.ToDictionary(s => s.Key, s =>
    {
        var gradient = new Tensor(ElementType.Float, outputs[s.Key].Shape, s.Value);
        return outputs[s.Key].ElementType == ElementType.Double ? Floats.ToDouble(gradient) : gradient;
    });
}
