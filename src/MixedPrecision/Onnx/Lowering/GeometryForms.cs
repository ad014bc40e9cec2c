namespace MixedPrecision.Onnx.Lowering;

/// <summary>Determinants, crops and grids.</summary>
internal static class GeometryForms
{
    /// <summary>Beyond this many rows the expansion by minors grows without bound; the operator is left as it is.</summary>
    private const int MaximumRows = 4;

    public static void Determinant(LoweringContext c)
    {
        if (c.Type(c.X).Shape is not { Count: >= 2 } shape || shape[^1].Size is not (>= 1 and <= MaximumRows))
        {
            c.Keep();
            return;
        }

        GraphBuilder b = c.B;
        int[] all = [.. Enumerable.Range(0, (int)shape[^1].Size!.Value)];
        string Element(int row, int column) =>
            b.Gather(b.Gather(c.X, b.Scalar(row, ElementType.Int64), -2), b.Scalar(column, ElementType.Int64), -1);
        string[][] elements = [.. all.Select(row => all.Select(column => Element(row, column)).ToArray())];

        // By the first of the rows that are left.
        string Minor(int row, int[] columns)
        {
            string[] terms = [.. columns.Select(column => row == all.Length - 1
                ? elements[row][column]
                : b.Mul(elements[row][column], Minor(row + 1, [.. columns.Where(other => other != column)])))];
            return terms.Skip(1).Select((term, i) => (term, i)).Aggregate(terms[0], (sum, t) => t.i % 2 == 0 ? b.Sub(sum, t.term) : b.Add(sum, t.term));
        }

        c.Return(Minor(0, all));
    }

    /// <summary>Pads or crops axes to sizes, evenly at both ends; an odd one is padded or cropped behind.</summary>
    public static void CenterCropPad(LoweringContext c)
    {
        GraphBuilder b = c.B;
        if (c.Rank(c.X) is not int rank)
        {
            c.Keep();
            return;
        }

        long[] axes = [.. (c.Node.Ints("axes") ?? [.. Enumerable.Range(0, rank).Select(a => (long)a)]).Select(a => a < 0 ? a + rank : a)];
        string sizes = b.Gather(b.Shape(c.X), b.Integers(axes), 0);
        string missing = b.Sub(b.Cast(c.Input(1), ElementType.Int64), sizes);
        string before = b.Div(missing, b.Integers(2));
        string pads = b.PadsOfAll(b.Concat(0, before, b.Sub(missing, before)), axes, rank);
        c.ReturnNode("Pad", [c.X, pads]);
    }

    /// <summary>The places of all points of a picture or volume, turned by θ [batch, axes, axes + 1]; the last axis of space comes first.</summary>
    public static void AffineGrid(LoweringContext c)
    {
        GraphBuilder b = c.B;
        if (c.Type(c.X).Shape is not [_, { Size: 2 or 3 } axes, _])
        {
            c.Keep();
            return;
        }

        int count = (int)axes.Size!.Value;
        bool corners = c.Node.Int("align_corners", 0) == 1;
        string Size(int axis) => b.Slice(c.Input(1), 0, axis + 2, axis + 3);
        string Line(int axis)
        {
            string steps = b.Cast(HeadMath.Places(b, Size(axis)), c.ElementType);
            string size = b.Cast(b.Squeeze(Size(axis), 0), c.ElementType);
            if (!corners)
            {
                return b.Sub(b.Mul(b.Div(b.Add(steps, c.Scalar(0.5)), size), c.Scalar(2)), c.Scalar(1));
            }

            // One point alone stands at the end.
            string last = b.Sub(size, c.Scalar(1));
            string line = b.Div(b.Sub(b.Mul(steps, c.Scalar(2)), last), b.Max(last, c.Scalar(1)));
            return b.Where(b.Equal(last, c.Scalar(0)), c.Scalar(1), line);
        }

        string space = b.Node("Slice", [c.Input(1), b.Integers(2), b.Integers(long.MaxValue), b.Integers(0)]);
        string Plane(int axis)
        {
            long[] other = [.. Enumerable.Range(0, count + 1).Where(a => a != axis).Select(a => (long)a)];
            return b.Expand(b.Unsqueeze(Line(axis), other), b.Concat(0, space, b.Integers(1)));
        }

        string ones = b.Filled(b.Concat(0, space, b.Integers(1)), 1, c.ElementType);
        string points = b.Concat(-1, [.. Enumerable.Range(0, count).Reverse().Select(Plane), ones]);
        string product = b.MatMul(b.Reshape0(points, -1, count + 1), b.Transpose(c.X, [0, 2, 1]));
        c.Return(b.ReshapeTo(product, b.Size(c.X, 0), space, b.Integers(count)));
    }
}
