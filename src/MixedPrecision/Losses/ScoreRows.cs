using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Losses;

/// <summary>An output as rows of scores, one score a class. Rows are read one by one, so that no second output is made.</summary>
/// <param name="output">A floating tensor of rank 1 at least.</param>
/// <param name="axis">The axis of the classes.</param>
internal sealed class ScoreRows(Tensor output, int axis)
{
    private readonly Tensor values = Floats.ToFloat(output);
    private readonly int inner = (int)Tensor.ElementCount(output.Shape.AsSpan(axis + 1));

    /// <summary>Scores a row.</summary>
    public int Classes { get; } = (int)output.Shape[axis];

    /// <summary>Number of rows.</summary>
    public int Count { get; } = output.Shape[axis] == 0 ? 0 : (int)(output.Count / output.Shape[axis]);

    /// <summary>The shape of labels, one a row.</summary>
    public static long[] LabelShape(long[] shape, int axis) => [.. shape.Where((_, a) => a != axis)];

    /// <summary>The scores of a row: a view, or the buffer when they do not lie together.</summary>
    public ReadOnlySpan<float> Read(int row, Span<float> buffer)
    {
        ReadOnlySpan<float> all = values.Values<float>();
        int start = Start(row);
        if (inner == 1)
        {
            return all.Slice(start, Classes);
        }

        for (int c = 0; c < Classes; c++)
        {
            buffer[c] = all[start + (c * inner)];
        }

        return buffer[..Classes];
    }

    /// <summary>Adds factor · values to a row of a tensor of the same shape.</summary>
    public void Add(int row, ReadOnlySpan<float> rowValues, float factor, Span<float> sum)
    {
        int start = Start(row);
        if (inner == 1)
        {
            Span<float> target = sum.Slice(start, Classes);
            TensorPrimitives.MultiplyAdd(rowValues, factor, target, target);
            return;
        }

        for (int c = 0; c < Classes; c++)
        {
            sum[start + (c * inner)] += factor * rowValues[c];
        }
    }

    /// <summary>Adds a number to one element of a row.</summary>
    public void Add(int row, int column, float value, Span<float> sum) => sum[Start(row) + (column * inner)] += value;

    private int Start(int row) => (row / inner * Classes * inner) + (row % inner);
}
