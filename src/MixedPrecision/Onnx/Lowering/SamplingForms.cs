namespace MixedPrecision.Onnx.Lowering;

/// <summary>GridSample: X [batch, channels, space…] is read at the points of a grid [batch, points…, axes], the last axis of space first, from −1 to 1.</summary>
internal static class SamplingForms
{
    public static void GridSample(LoweringContext c)
    {
        GraphBuilder b = c.B;
        string mode = c.Node.Text("mode", "linear");
        if (c.Rank(c.X) is not int rank || (mode == "cubic" && rank != 4))
        {
            c.Keep();
            return;
        }

        var space = new Space(c, rank - 2);

        // Between pixels of which some lie beyond the edge a cubic is taken as it is.
        bool bounded = mode != "cubic" || c.Node.Text("padding_mode", "zeros") == "reflection";
        string[] places = [.. Enumerable.Range(0, space.Axes).Select(space.Place).Select((place, axis) => bounded ? space.Within(axis, place) : place)];
        string result = mode switch
        {
            "nearest" => space.Read([.. places.Select(p => b.Node("Round", [p]))]),
            "linear" => Interpolated(space, places, [0, 1], p => [b.Sub(c.Scalar(1), p), p]),
            _ => Interpolated(space, places, [-1, 0, 1, 2], p => Cubic(c, p)),
        };
        c.Return(result);
    }

    /// <summary>The sum over neighbours along all axes, each weighted by the product of its weights along each.</summary>
    private static string Interpolated(Space space, string[] places, int[] neighbours, Func<string, string[]> weights)
    {
        GraphBuilder b = space.B;
        string[] floors = [.. places.Select(b.Floor)];
        string[][] perAxis = [.. places.Zip(floors, (p, f) => weights(b.Sub(p, f)))];
        var parts = new List<string>();
        for (int index = 0; index < (int)Math.Pow(neighbours.Length, space.Axes); index++)
        {
            int[] chosen = [.. Enumerable.Range(0, space.Axes).Select(axis => index / (int)Math.Pow(neighbours.Length, axis) % neighbours.Length)];
            string[] at = [.. floors.Select((f, axis) => neighbours[chosen[axis]] == 0 ? f : b.Add(f, space.Scalar(neighbours[chosen[axis]])))];
            string weight = chosen.Select((n, axis) => perAxis[axis][n]).Aggregate((x, y) => b.Mul(x, y));
            parts.Add(b.Mul(space.Read(at), b.Unsqueeze(weight, 1)));
        }

        return b.Sum(parts);
    }

    /// <summary>Keys' kernel with a = −3/4 at the distances 1 + p, p, 1 − p, 2 − p.</summary>
    private static string[] Cubic(LoweringContext c, string p)
    {
        GraphBuilder b = c.B;
        const double A = -0.75;
        string Polynomial(string x, params double[] coefficients) =>
            coefficients.Skip(1).Aggregate(c.Scalar(coefficients[0]), (sum, k) => b.Add(b.Mul(sum, x), c.Scalar(k)));
        string Far(string x) => Polynomial(x, A, -5 * A, 8 * A, -4 * A);
        string Near(string x) => Polynomial(x, A + 2, -(A + 3), 0, 1);
        string other = b.Sub(c.Scalar(1), p);
        return [Far(b.Add(p, c.Scalar(1))), Near(p), Near(other), Far(b.Add(other, c.Scalar(1)))];
    }

    /// <summary>The sizes of X, how the grid's numbers become places, and what lies beyond the edges.</summary>
    private sealed class Space(LoweringContext c, int axes)
    {
        private readonly bool corners = c.Node.Int("align_corners", 0) == 1;
        private readonly string padding = c.Node.Text("padding_mode", "zeros");
        private readonly string[] sizes = [.. Enumerable.Range(0, axes).Select(axis => c.B.Squeeze(c.B.Size(c.X, axis + 2), 0))];
        private readonly string flat = c.B.Reshape0(c.X, 0, 0, -1);

        public GraphBuilder B => c.B;

        public int Axes => axes;

        public string Scalar(double value) => c.Scalar(value);

        /// <summary>−1 and 1 are the middles of the first and last element, or else their outer edges.</summary>
        public string Place(int axis)
        {
            string number = B.Gather(c.Input(1), B.Scalar(axes - 1 - axis, ElementType.Int64), -1);
            string half = B.Mul(B.Add(number, Scalar(1)), Scalar(0.5));
            return corners ? B.Mul(half, Last(axis)) : B.Sub(B.Mul(half, Size(axis)), Scalar(0.5));
        }

        /// <summary>A place drawn to the edge, or thrown back from it.</summary>
        public string Within(int axis, string place) => padding switch
        {
            "border" => B.Min(B.Max(place, Scalar(0)), Last(axis)),
            "reflection" => Reflected(axis, place),
            _ => place,
        };

        /// <summary>X at whole places, [batch, channels, points…]; zero beyond the edges when they are padded so.</summary>
        public string Read(string[] places)
        {
            string? inside = null;
            string? offset = null;
            for (int axis = 0; axis < axes; axis++)
            {
                string whole = Within(axis, places[axis]);
                string clipped = B.Min(B.Max(whole, Scalar(0)), Last(axis));
                if (padding == "zeros")
                {
                    inside = HeadMath.And(B, inside, B.Equal(whole, clipped));
                }

                string index = B.Cast(clipped, ElementType.Int64);
                offset = offset is null ? index : B.Add(B.Mul(offset, sizes[axis]), index);
            }

            string points = B.Shape(offset!);
            string rows = B.Reshape0(offset!, 0, 1, -1);
            string shape = B.Concat(0, B.Size(c.X, 0), B.Size(c.X, 1), B.Size(rows, 2));
            string read = B.GatherElements(flat, B.Expand(rows, shape), 2);
            string full = B.ReshapeTo(read, B.Size(c.X, 0), B.Size(c.X, 1), B.Node("Slice", [points, B.Integers(1), B.Integers(long.MaxValue), B.Integers(0)]));
            return inside is null ? full : B.Where(B.Unsqueeze(inside, 1), full, Scalar(0));
        }

        private string Reflected(int axis, string place)
        {
            string least = corners ? Scalar(0) : Scalar(-0.5);
            string range = corners ? Last(axis) : Size(axis);
            string twice = B.Add(range, range);
            string from = B.Sub(place, least);
            string folded = B.Sub(from, B.Mul(B.Floor(B.Div(from, twice)), twice));
            return B.Add(B.Sub(range, B.Abs(B.Sub(folded, range))), least);
        }

        private string Size(int axis) => B.Cast(sizes[axis], c.ElementType);

        private string Last(int axis) => B.Sub(Size(axis), Scalar(1));
    }
}
