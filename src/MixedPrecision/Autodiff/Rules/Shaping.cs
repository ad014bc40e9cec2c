using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

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

    /// <summary>Each repetition's gradient, added up.</summary>
    public static IReadOnlyList<string?> Tile(GradientContext c)
    {
        GraphBuilder b = c.B;

        // Every second axis of the pairs counts repeats, whatever the rank.
        string pairs = b.Vector(b.Concat(1, b.Unsqueeze(c.Input(1), 1), b.Unsqueeze(c.ShapeOf(c.X), 1)));
        string repeats = c.Type(c.X).Rank is int rank
            ? b.Integers([.. Enumerable.Range(0, rank).Select(a => 2L * a)])
            : b.Mul(b.Range(b.ElementCount(c.Input(1))), b.Integers(2));
        return c.Gradients((0, b.Reshape(b.ReduceSumOver(b.Reshape(c.Upstream, pairs), repeats), c.ShapeOf(c.X))));
    }

    /// <summary>Blocks of depth go to squares of space; the inverse reads the squares back in the same order.</summary>
    public static IReadOnlyList<string?> DepthToSpace(GradientContext c)
    {
        GraphBuilder b = c.B;
        long block = c.Node.Int("blocksize", 1);
        if (c.Node.Text("mode", "DCR") == "DCR")
        {
            return [b.Node("SpaceToDepth", [c.Upstream], Attributes.Of("blocksize", block))];
        }

        string edge = b.Integers(block);
        string squares = b.ReshapeTo(c.Upstream, b.Size(c.Y, 0), b.Size(c.Y, 1), b.Size(c.X, 2), edge, b.Size(c.X, 3), edge);
        return [b.Reshape(b.Transpose(squares, [0, 1, 3, 5, 2, 4]), c.ShapeOf(c.X))];
    }

    public static IReadOnlyList<string?> SpaceToDepth(GradientContext c) =>
        [c.B.Node("DepthToSpace", [c.Upstream], Attributes.Of("blocksize", c.Node.Int("blocksize", 1)))];

    /// <summary>Padding by a constant is undone by negative pads, and the rest belongs to the constant; other modes copy elements of the input.</summary>
    public static IReadOnlyList<string?> Pad(GradientContext c)
    {
        GraphBuilder b = c.B;
        if (c.Node.Text("mode", "constant") != "constant")
        {
            // The constant that the mode does not read is of the data's type.
            return c.Gradients((0, IndexGrid.Gradient(c, c.HasInput(3) ? [c.Input(1), "", c.Input(3)] : [c.Input(1)])));
        }

        string dx = b.Pad(c.Upstream, c.HasInput(3) ? b.PadsOfAll(c.Upstream, b.Neg(c.Input(1)), c.Input(3)) : b.Neg(c.Input(1)));
        string? value = c.Needs(2) ? b.Reshape(b.Sub(b.ReduceSum(c.Upstream), b.ReduceSum(dx)), c.ShapeOf(c.Input(2))) : null;
        return c.Gradients((0, dx), (2, value));
    }

    /// <summary>The same triangle of the gradient.</summary>
    public static IReadOnlyList<string?> Trilu(GradientContext c) =>
        c.Gradients((0, c.B.Node("Trilu", c.HasInput(1) ? [c.Upstream, c.Input(1)] : [c.Upstream], Attributes.Of("upper", c.Node.Int("upper", 1)))));

    /// <summary>A running sum from the other end.</summary>
    public static IReadOnlyList<string?> CumSum(GradientContext c) => c.Gradients((0, c.B.Node(
        "CumSum",
        [c.Upstream, c.Input(1)],
        Attributes.Of("reverse", 1 - c.Node.Int("reverse", 0)),
        Attributes.Of("exclusive", c.Node.Int("exclusive", 0)))));

    /// <summary>Reversing twice is the identity.</summary>
    public static IReadOnlyList<string?> ReverseSequence(GradientContext c) =>
        c.Gradients((0, c.B.Node("ReverseSequence", [c.Upstream, c.Input(1)], [.. c.Node.Attribute])));

    private static string Size(GradientContext c, string value, long axis)
    {
        IReadOnlyList<Dimension>? shape = c.Type(value).Shape;
        return shape?[(int)(axis < 0 ? axis + shape.Count : axis)].Size is long size ? c.B.Integers(size) : c.B.Size(value, axis);
    }
}
