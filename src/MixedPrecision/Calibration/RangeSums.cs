using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>The range of a value over samples: the same in any order, and from the ranges of parts of the samples.</summary>
internal sealed class RangeSums
{
    private readonly Lock gate = new();
    private float low = float.PositiveInfinity;
    private float high = float.NegativeInfinity;

    /// <summary>Samples that were added.</summary>
    public int Samples { get; private set; }

    public ValueRange Total => ValueRange.Of(low, high);

    /// <summary>Adds what a sample has of the value. Any number of threads may add. One without elements, or with one that is no finite number, is not added.</summary>
    public void Add(Tensor tensor)
    {
        if (tensor.ElementType != ElementType.Float || tensor.Count == 0)
        {
            return;
        }

        ReadOnlySpan<float> values = tensor.Values<float>();
        float least = TensorPrimitives.Min(values), most = TensorPrimitives.Max(values);
        if (!float.IsFinite(least) || !float.IsFinite(most))
        {
            return;
        }

        lock (gate)
        {
            (low, high) = (MathF.Min(low, least), MathF.Max(high, most));
            Samples++;
        }
    }
}

/// <summary>A value that was observed.</summary>
public sealed record ObservedRange(string Value, ValueRange Range);
