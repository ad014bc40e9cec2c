using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>What rounding within an activation x · σ(x) changes of the loss, to first order, for one or two gradients of what it gives.</summary>
/// <param name="swish">The activation, f.</param>
/// <param name="x">What it reads.</param>
/// <param name="gradient">ḟ.</param>
/// <param name="drawn">The same for labels drawn from the model, or null.</param>
internal sealed class SwishChange(Swish swish, Tensor x, Tensor gradient, Tensor? drawn)
{
    private const float Levels = 255;

    /// <summary>σ(x).</summary>
    private readonly float[] gates = GatesOf(swish, x);

    /// <summary>⟨Q(f) − f, ḟ⟩: a · x · σ(x) is rounded, and read with another zero point.</summary>
    public (double Delta, double Drawn) OfResult(ValueRange range)
    {
        float step = range.Scale, zero = range.ZeroPoint, steps = range.StepsOf(swish);
        return Sum((value, gate) =>
        {
            float product = swish.Factor * value * gate;
            return (step * (Math.Clamp(MathF.Round(product / step) + zero + steps, 0, Levels) - zero)) - (product + swish.Addend);
        });
    }

    /// <summary>a · ⟨x · (Q(σ) − σ), ḟ⟩.</summary>
    public (double Delta, double Drawn) OfGate() => Sum((value, gate) => swish.Factor * value * ((MathF.Round(gate * Levels) / Levels) - gate));

    private (double Delta, double Drawn) Sum(Func<float, float, float> changeOf)
    {
        ReadOnlySpan<float> values = x.Values<float>(), first = gradient.Values<float>(), second = drawn is null ? [] : drawn.Values<float>();
        double delta = 0, drawnDelta = 0;
        for (int i = 0; i < values.Length; i++)
        {
            float change = changeOf(values[i], gates[i]);
            delta += change * first[i];
            drawnDelta += second.IsEmpty ? 0 : change * second[i];
        }

        return (delta, drawnDelta);
    }

    private static float[] GatesOf(Swish swish, Tensor x)
    {
        ReadOnlySpan<float> values = x.Values<float>();
        var gates = new float[values.Length];
        if (swish.Slope is null)
        {
            TensorPrimitives.Sigmoid(values, gates);
            return gates;
        }

        for (int i = 0; i < gates.Length; i++)
        {
            gates[i] = swish.Gate(values[i]);
        }

        return gates;
    }
}
