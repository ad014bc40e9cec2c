using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>
/// Resize is linear and separable: along each axis a matrix R, which Resize itself makes of the identity. dX multiplies dY by Rᵀ along each axis.
/// </summary>
internal static class Resizing
{
    /// <summary>Lowering writes an aspect ratio that is kept as scales where it can.</summary>
    public static bool Covers(NodeProto node) => node.Text("keep_aspect_ratio_policy", "stretch") == "stretch" || node.Input.Count < 4;

    public static IReadOnlyList<string?> Resize(GradientContext c)
    {
        int rank = c.Rank(c.X);
        long[] axes = [.. (c.Node.Ints("axes") ?? [.. Enumerable.Range(0, rank).Select(a => (long)a)]).Select(a => a < 0 ? a + rank : a)];
        string gradient = c.Upstream;
        for (int index = 0; index < axes.Length; index++)
        {
            if (!IsUnchanged(c, index, (int)axes[index]))
            {
                gradient = Multiply(c.B, gradient, Matrix(c, index, axes.Length, axes[index]), (int)axes[index], rank);
            }
        }

        // Resized as the forward pass does, along all axes but one.
        string AlongOthers(string value, int index) => Enumerable.Range(0, axes.Length).Where(other => other != index && !IsUnchanged(c, other, (int)axes[other])).Aggregate(
            value, (resized, other) => Multiply(c.B, resized, c.B.Transpose(Matrix(c, other, axes.Length, axes[other]), [1, 0]), (int)axes[other], rank));
        var places = new ResizePlaces(c, axes, AlongOthers);
        return c.Gradients((0, gradient), (1, places.Region()), (2, places.Scales()));
    }

    private static bool IsUnchanged(GradientContext c, int index, int axis)
    {
        if (c.Node.Text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize")
        {
            return false;
        }

        double[]? scales = c.HasInput(2) ? c.Constants.Reals(c.Input(2)) : null;
        Dimension? before = c.Type(c.X).Shape?[axis];
        Dimension? after = c.Type(c.Y).Shape?[axis];
        bool equal = before is { } x && after is { } y && x == y && x != Dimension.Unknown;

        // Kernels that interpolate leave the batch axis alone.
        return scales is not null ? scales[index] == 1 : equal || (axis == 0 && c.Rank(c.X) >= 3 && c.Node.Text("mode", "nearest") != "nearest");
    }

    /// <summary>Whether no axis changes its size: kernels then copy, whatever the scales say.</summary>
    public static string IsCopy(GradientContext c)
    {
        string kept = c.B.Cast(c.B.Equal(c.ShapeOf(c.X), c.ShapeOf(c.Y)), Onnx.ElementType.Int64);
        return c.B.Equal(c.B.ReduceSum(kept), c.B.Scalar(c.Rank(c.X), Onnx.ElementType.Int64));
    }

    /// <summary>R of one axis, [out, in]. A further axis that grows keeps the kernel from copying where this one keeps its size and another does not.</summary>
    private static string Matrix(GradientContext c, int index, int count, long axis)
    {
        GraphBuilder b = c.B;
        string size = b.Size(c.X, axis);
        string identity = b.Node("EyeLike", [b.Zeros(b.Concat(0, size, size), c.ElementType)]);
        string plane = b.Unsqueeze(identity, 0, 3);
        string Entry(int input, int at) => b.Slice(c.Input(input), 0, at, at + 1);
        var inputs = new List<string> { plane, "", "", "" };
        if (c.HasInput(1) && c.Node.Text("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize")
        {
            int type = c.Type(c.Input(1)).ElementType;
            string none = b.Constant(type == Onnx.ElementType.Double ? Tensor.Of<double>([0], 1) : Tensor.Of<float>([0], 1));
            string all = b.Constant(type == Onnx.ElementType.Double ? Tensor.Of<double>([1], 1) : Tensor.Of<float>([1], 1));
            inputs[1] = b.Concat(0, none, none, Entry(1, index), none, all, all, Entry(1, index + count), all);
        }

        if (c.HasInput(3))
        {
            inputs[3] = b.Concat(0, b.Integers(1), size, Entry(3, index), b.Integers(2));
        }
        else
        {
            string one = b.Constant(Tensor.Of<float>([1], 1));
            inputs[2] = b.Concat(0, one, one, Entry(2, index), b.Constant(Tensor.Of<float>([2], 1)));
            inputs.RemoveAt(3);
        }

        AttributeProto[] attributes = [.. c.Node.Attribute.Where(a => a.Name is not ("axes" or "extrapolation_value" or "keep_aspect_ratio_policy"))];
        string matrix = b.Transpose(b.Squeeze(b.Slice(b.Node("Resize", inputs, attributes), 3, 0, 1), 0, 3), [1, 0]);
        return b.Where(IsCopy(c), b.Node("EyeLike", [matrix]), matrix);
    }

    private static string Multiply(GraphBuilder b, string gradient, string matrix, int axis, int rank)
    {
        if (axis == rank - 1)
        {
            return b.MatMul(gradient, matrix);
        }

        if (axis == rank - 2)
        {
            return b.MatMul(b.Transpose(matrix, [1, 0]), gradient);
        }

        long[] swap = [.. Enumerable.Range(0, rank).Select(a => (long)(a == axis ? rank - 1 : a == rank - 1 ? axis : a))];
        return b.Transpose(b.MatMul(b.Transpose(gradient, swap), matrix), swap);
    }
}
