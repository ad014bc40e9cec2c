using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration.Autodiff.Rules;

/// <summary>Operators that change a shape, join or part tensors, and keep all elements.</summary>
internal static class Shaping
{
    /// <summary>Reshape, Flatten, Squeeze, Unsqueeze: back to the input's shape.</summary>
    public static IReadOnlyList<string?> Reshape(GradientContext c) => c.Gradients((0, c.B.Reshape(c.Upstream, c.ShapeOf(c.X))));

    public static IReadOnlyList<string?> Transpose(GradientContext c)
    {
        if (c.Node.Ints("perm") is not { } permutation)
        {
            return [c.B.Node("Transpose", [c.Upstream])];
        }

        var inverse = new long[permutation.Length];
        for (int axis = 0; axis < permutation.Length; axis++)
        {
            inverse[permutation[axis]] = axis;
        }

        return [c.B.Transpose(c.Upstream, inverse)];
    }

    public static IReadOnlyList<string?> Expand(GradientContext c) => c.Gradients((0, c.SumTo(c.Upstream, c.Type(c.Y), c.X)));

    /// <summary>Each operand's part of the gradient, cut at sizes known when the graph is made or at run time.</summary>
    public static IReadOnlyList<string?> Concat(GradientContext c)
    {
        long axis = c.Node.Int("axis", 0);
        if (c.Node.Input.Count == 1)
        {
            return [c.Upstream];
        }

        string[] sizes = [.. c.Node.Input.Select(i => Size(c, i, axis))];
        return c.B.Split(c.Upstream, c.B.Concat(0, sizes), sizes.Length, axis);
    }

    /// <summary>The parts' gradients joined, zeros for parts that the loss does not depend on.</summary>
    public static IReadOnlyList<string?> Split(GradientContext c)
    {
        string[] parts = [.. c.Node.Output.Select((o, i) => c.UpstreamOf(i) ?? c.ZerosLike(o))];
        return c.Gradients((0, parts.Length == 1 ? parts[0] : c.B.Concat(c.Node.Int("axis", 0), parts)));
    }

    private static string Size(GradientContext c, string value, long axis)
    {
        IReadOnlyList<Dimension>? shape = c.Type(value).Shape;
        return shape?[(int)(axis < 0 ? axis + shape.Count : axis)].Size is long size ? c.B.Integers(size) : c.B.Size(value, axis);
    }
}
