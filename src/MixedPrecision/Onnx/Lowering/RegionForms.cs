namespace MixedPrecision.Onnx.Lowering;

/// <summary>RoiAlign: regions [region, left top right bottom] of pictures [batch, channels, height, width], each cut into cells that are sampled between pixels.</summary>
internal static class RegionForms
{
    public static void RoiAlign(LoweringContext c)
    {
        GraphBuilder b = c.B;
        bool half = c.Node.Text("coordinate_transformation_mode", "half_pixel") == "half_pixel";
        var vertical = Samples(c, half, 1, c.Node.Int("output_height", 1), 2);
        var horizontal = Samples(c, half, 0, c.Node.Int("output_width", 1), 3);

        // Each region's picture: [region, channels, height·width].
        string pictures = b.Reshape0(b.Gather(c.X, c.Input(2), 0), 0, 0, -1);
        string width = b.Squeeze(b.Size(c.X, 3), 0);
        string Weighted(int row, int column)
        {
            string places = b.Add(b.Mul(b.Unsqueeze(vertical.Places[row], 2), width), b.Unsqueeze(horizontal.Places[column], 1));
            string rows = b.Reshape0(places, 0, 1, -1);
            string shape = b.Concat(0, b.Size(pictures, 0), b.Size(pictures, 1), b.Size(rows, 2));
            string pixels = b.GatherElements(pictures, b.Expand(rows, shape), 2);
            string weights = b.Mul(b.Unsqueeze(vertical.Weights[row], 2), b.Unsqueeze(horizontal.Weights[column], 1));
            return b.Mul(pixels, b.Reshape0(weights, 0, 1, -1));
        }

        string[] corners = [Weighted(0, 0), Weighted(0, 1), Weighted(1, 0), Weighted(1, 1)];
        string[] cells = [b.Integers(c.Node.Int("output_height", 1)), vertical.Count, b.Integers(c.Node.Int("output_width", 1)), horizontal.Count];
        string Parted(string samples) => b.ReshapeTo(samples, [b.Integers(0, 0), .. cells]);
        string valid = b.And(b.Unsqueeze(vertical.Valid, 1, 4, 5), b.Unsqueeze(horizontal.Valid, 1, 2, 3));
        if (c.Node.Text("mode", "avg") == "avg")
        {
            string sum = b.ReduceSum(b.Where(valid, Parted(b.Sum(corners)), c.Scalar(0)), [3, 5]);
            c.ReturnNode("Div", [sum, b.ReduceSum(b.Cast(valid, c.ElementType), [3, 5])]);
        }
        else
        {
            // The kernel takes the greatest weighted corner.
            string greatest = b.Node("Max", corners);
            c.ReturnNode("ReduceMax", [b.Where(valid, Parted(greatest), HeadMath.Least(b, c.ElementType)), b.Integers(3, 5)], Attributes.Of("keepdims", 0));
        }
    }

    /// <summary>The samples along one axis, cells·count of them: their two neighbours' places and weights [region, samples], and which of each cell count [region, cells, count].</summary>
    private static Axis Samples(LoweringContext c, bool half, int corner, long cells, int axis)
    {
        GraphBuilder b = c.B;
        string Bound(int index)
        {
            string scaled = b.Mul(b.Slice(c.Input(1), 1, index, index + 1), c.Scalar(c.Node.Float("spatial_scale", 1)));
            return half ? b.Sub(scaled, c.Scalar(0.5)) : scaled;
        }

        string start = Bound(corner);
        string extent = b.Sub(Bound(corner + 2), start);
        extent = half ? extent : b.Max(extent, c.Scalar(1));
        string cell = b.Div(extent, c.Scalar(cells));
        long ratio = c.Node.Int("sampling_ratio", 0);

        // [region, 1]; regions may differ in how many samples they take, so all get as many places as the greatest.
        string counts = ratio > 0 ? c.Scalar(ratio) : b.Max(b.Ceil(cell), c.Scalar(1));
        string count = ratio > 0 ? b.Integers(ratio) : b.Reshape0(b.Cast(b.Node("ReduceMax", [counts], Attributes.Of("keepdims", 0)), ElementType.Int64), 1);
        string steps = b.Cast(HeadMath.Places(b, count), c.ElementType);
        string within = b.Div(b.Add(steps, c.Scalar(0.5)), counts);
        string offsets = b.Add(b.Unsqueeze(b.Cast(b.Range(b.Scalar(cells, ElementType.Int64)), c.ElementType), 1), b.Unsqueeze(within, -2));
        string places = b.Add(start, b.Mul(cell, b.Reshape0(offsets, ratio > 0 ? 1 : 0, -1)));

        string size = b.Cast(b.Squeeze(b.Size(c.X, axis), 0), c.ElementType);
        string last = b.Sub(size, c.Scalar(1));
        string inside = b.And(b.GreaterOrEqual(places, c.Scalar(-1)), b.LessOrEqual(places, size));
        string clipped = b.Min(b.Max(places, c.Scalar(0)), last);
        string low = b.Floor(clipped);
        string high = b.Min(b.Add(low, c.Scalar(1)), last);
        string fraction = b.Sub(clipped, low);
        string Weight(string weight) => b.Where(inside, weight, c.Scalar(0));
        string taken = b.Unsqueeze(b.Less(steps, counts), -2);
        string shape = b.Concat(0, b.Size(c.Input(1), 0), b.Integers(cells), count);
        return new Axis(
            [b.Cast(low, ElementType.Int64), b.Cast(high, ElementType.Int64)],
            [Weight(b.Sub(c.Scalar(1), fraction)), Weight(fraction)],
            b.Expand(taken, shape),
            count);
    }

    private sealed record Axis(string[] Places, string[] Weights, string Valid, string Count);
}
