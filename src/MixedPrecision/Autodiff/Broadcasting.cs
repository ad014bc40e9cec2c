using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff;

/// <summary>
/// Sums a gradient of the broadcast shape back to the shape of one operand. Axes are decided when the graph is made as far as types
/// tell; only where they leave it open, shapes are compared at run time. Neither batch nor sequence size, nor rank, has to be known.
/// </summary>
internal static class Broadcasting
{
    private enum Axis
    {
        Keep,
        Sum,
        Open,
    }

    /// <param name="gradient">A value of the broadcast shape.</param>
    /// <param name="gradientType">Its type.</param>
    /// <param name="operand">The type of the operand.</param>
    /// <param name="operandShape">Makes the operand's shape as a value.</param>
    /// <param name="others">Types of all other operands that took part in the broadcast.</param>
    public static string SumTo(GraphBuilder b, string gradient, TensorType gradientType, TensorType operand, Func<string> operandShape, IReadOnlyList<TensorType> others)
    {
        if (others.Count > 0 && others.All(o => o.Rank == 0))
        {
            return gradient;
        }

        if (gradientType.Shape is null || operand.Shape is null)
        {
            return AtRunTime(b, gradient, operandShape());
        }

        int rank = gradientType.Shape.Count;
        int missing = rank - operand.Shape.Count;
        Axis[] axes = [.. Enumerable.Range(missing, rank - missing).Select(axis => Decide(axis, missing, gradientType.Shape, operand.Shape, others))];
        if (axes.Contains(Axis.Open))
        {
            return AtRunTime(b, gradient, operandShape());
        }

        long[] kept = [.. Enumerable.Range(missing, rank - missing).Where(axis => axes[axis - missing] == Axis.Sum).Select(axis => (long)axis)];
        string sum = kept.Length == 0 ? gradient : b.ReduceSum(gradient, kept, keepDimensions: true);
        return missing == 0 ? sum : b.ReduceSum(sum, [.. Enumerable.Range(0, missing).Select(axis => (long)axis)]);
    }

    private static Axis Decide(int axis, int missing, IReadOnlyList<Dimension> gradient, IReadOnlyList<Dimension> operand, IReadOnlyList<TensorType> others)
    {
        Dimension own = operand[axis - missing];
        if (own.Size == 1)
        {
            return gradient[axis].Size == 1 ? Axis.Keep : Axis.Sum;
        }

        // A size above one cannot have been broadcast. (0 neither: it broadcasts with 1 to 0.)
        bool same = own.Size is not null || (own.Symbol is not null && own == gradient[axis]);
        return same || (others.Count > 0 && others.All(o => IsOne(o, axis, gradient.Count))) ? Axis.Keep : Axis.Open;
    }

    /// <summary>Whether an operand is known to be of size one along an axis of the result.</summary>
    private static bool IsOne(TensorType other, int axis, int rank) =>
        other.Shape is not null && (axis < rank - other.Shape.Count || other.Shape[axis - (rank - other.Shape.Count)].Size == 1);

    private static string AtRunTime(GraphBuilder b, string gradient, string operandShape)
    {
        string shape = b.Shape(gradient);
        string missing = b.Sub(b.Shape(shape), b.Shape(operandShape));
        string padded = b.Concat(0, b.Expand(b.Integers(1), missing), operandShape);
        string axes = b.Squeeze(b.Node("NonZero", [b.Not(b.Equal(shape, padded))]), 0);
        return b.Reshape(b.ReduceSumOver(gradient, axes), operandShape);
    }
}
