using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>Col2Im adds each column's elements to the places of its block; the gradient reads them there.</summary>
internal static class Columns
{
    /// <summary>Inputs: columns [batch, channels·block, blocks], the picture's sizes, the block's sizes.</summary>
    public static IReadOnlyList<string?> Col2Im(GradientContext c)
    {
        GraphBuilder b = c.B;
        int axes = c.Rank(c.Y) - 2;
        long[] ones = [.. Enumerable.Repeat(1L, axes)];
        long[] strides = c.Node.Ints("strides") ?? ones;
        long[] dilations = c.Node.Ints("dilations") ?? ones;
        long[] pads = c.Node.Ints("pads") ?? new long[2 * axes];
        string? offset = null;
        string? inside = null;
        for (int axis = 0; axis < axes; axis++)
        {
            string picture = b.Slice(c.Input(1), 0, axis, axis + 1);
            string block = b.Slice(c.Input(2), 0, axis, axis + 1);
            string reach = b.Add(b.Mul(b.Sub(block, b.Integers(1)), b.Integers(dilations[axis])), b.Integers(1));
            string free = b.Sub(b.Add(picture, b.Integers(pads[axis] + pads[axis + axes])), reach);
            string steps = b.Add(b.Div(free, b.Integers(strides[axis])), b.Integers(1));
            string within = b.Mul(b.Range(b.Squeeze(block, 0)), b.Integers(dilations[axis]));
            string starts = b.Sub(b.Mul(b.Range(b.Squeeze(steps, 0)), b.Integers(strides[axis])), b.Integers(pads[axis]));

            // Axes of the table: the block's, then the blocks'.
            string Spread(string line, int at) => b.Unsqueeze(line, [.. Enumerable.Range(0, 2 * axes).Where(a => a != at).Select(a => (long)a)]);
            string places = b.Add(Spread(within, axis), Spread(starts, axes + axis));
            string clipped = b.Min(b.Max(places, b.Integers(0)), b.Sub(picture, b.Integers(1)));
            string fits = b.Equal(places, clipped);
            inside = inside is null ? fits : b.And(inside, fits);
            offset = offset is null ? clipped : b.Add(b.Mul(offset, picture), clipped);
        }

        string rows = b.Reshape0(offset!, 1, 1, -1);
        string shape = b.Concat(0, b.Size(c.Y, 0), b.Size(c.Y, 1), b.Size(rows, 2));
        string read = b.GatherElements(b.Reshape0(c.Upstream, 0, 0, -1), b.Expand(rows, shape), 2);
        string masked = b.Where(b.Reshape0(inside!, 1, 1, -1), read, c.Scalar(0));
        return c.Gradients((0, b.Reshape(masked, c.ShapeOf(c.X))));
    }
}
