namespace MixedPrecision.Onnx.Lowering;

/// <summary>Old rules of how shapes were coerced.</summary>
internal static class Coercion
{
    /// <summary>Below 13 softmax and its kin saw a matrix: axes before the one given were its rows.</summary>
    public static void ToMatrix(LoweringContext c)
    {
        if (c.Version >= 13)
        {
            c.Keep();
            return;
        }

        long axis = c.Node.Int("axis", 1);
        if (axis == -1 || (c.Rank(c.X) is int rank && axis == rank - 1))
        {
            c.Set(Attributes.Of("axis", -1));
            c.Keep();
            return;
        }

        string matrix = c.B.Node(c.Node.OpType, [c.B.Flatten(c.X, axis)], Attributes.Of("axis", 1));
        c.ReturnNode("Reshape", [matrix, c.B.Shape(c.X)]);
    }

    /// <summary>Below 7 a vector of slopes had one for each channel.</summary>
    public static void Slope(LoweringContext c)
    {
        if (c.Version < 7 && c.Rank(c.X) is > 2 and int rank && c.Rank(c.Input(1)) == 1)
        {
            c.Change([c.X, c.B.Unsqueeze(c.Input(1), [.. Enumerable.Range(1, rank - 2).Select(a => (long)a)])], "consumed_inputs");
        }
        else
        {
            c.Change([.. c.Node.Input], "consumed_inputs");
        }
    }

    /// <summary>Below 7 the second operand was aligned at an axis of the first, if `broadcast` said so, and padded with ones behind.</summary>
    public static void Broadcast(LoweringContext c)
    {
        if (c.Node.Attribute("axis") is not { } axis || c.Node.Int("broadcast", 0) == 0)
        {
            c.Change([.. c.Node.Input], "axis", "broadcast", "consumed_inputs");
            return;
        }

        string shape = c.B.Shape(c.Input(1));
        string behind = c.B.Sub(c.B.Sub(c.B.Shape(c.B.Shape(c.X)), c.B.Integers(axis.I)), c.B.Shape(shape));
        if (axis.I < 0)
        {
            behind = c.B.Sub(c.B.Integers(-axis.I), c.B.Shape(shape));
        }

        string aligned = c.B.Reshape(c.Input(1), c.B.Concat(0, shape, c.B.Expand(c.B.Integers(1), behind)));
        c.Change([c.X, aligned], "axis", "broadcast", "consumed_inputs");
    }
}
