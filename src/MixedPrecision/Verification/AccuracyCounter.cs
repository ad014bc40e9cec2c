using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Verification;

/// <summary>Counts how often the largest score of an output's last axis is the label's, before and after.</summary>
internal sealed class AccuracyCounter
{
    private long labels;
    private long original;
    private long mixed;
    private bool known = true;

    /// <summary>Counts one sample. A sample without a label, or whose output is not one row of scores per label, makes accuracy unknown.</summary>
    public void Add(Tensor? label, Tensor from, Tensor to)
    {
        int rows = label is null ? 0 : (int)label.Count;
        known &= rows > 0 && label!.ElementType == ElementType.Int64 && from.ElementType == ElementType.Float
            && from.Rank > 0 && from.Shape[^1] > 1 && from.Count == rows * from.Shape[^1] && to.Shape.AsSpan().SequenceEqual(from.Shape);
        if (known)
        {
            labels += rows;
            original += Hits(label!.Values<long>(), from);
            mixed += Hits(label.Values<long>(), to);
        }
    }

    public AccuracyChange? Result() => known && labels > 0 ? new AccuracyChange((double)original / labels, (double)mixed / labels) : null;

    private static int Hits(ReadOnlySpan<long> labels, Tensor output)
    {
        int classes = (int)output.Shape[^1];
        int hits = 0;
        for (int row = 0; row < labels.Length; row++)
        {
            hits += TensorPrimitives.IndexOfMax(output.Values<float>().Slice(row * classes, classes)) == labels[row] ? 1 : 0;
        }

        return hits;
    }
}
