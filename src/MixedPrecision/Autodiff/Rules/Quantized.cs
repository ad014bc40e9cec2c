using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>Between numbers and their integers. Integers have no gradient; scales have one.</summary>
internal static class Quantized
{
    /// <summary>y = (x − zero)·scale: the gradient of a scale is the sum of dy·(x − zero) over the elements that it scales.</summary>
    public static IReadOnlyList<string?> Dequantize(GradientContext c)
    {
        GraphBuilder b = c.B;
        if (!c.Needs(1))
        {
            return c.Gradients();
        }

        string scale = c.Input(1);
        int type = c.Type(scale).ElementType;
        string ones = b.Filled(c.ShapeOf(scale), 1, type);
        string[] inputs = c.HasInput(2) ? [c.X, ones, c.Input(2)] : [c.X, ones];
        string steps = b.Node("DequantizeLinear", inputs, [.. c.Node.Attribute]);
        string product = b.Mul(b.Cast(c.Upstream, type), b.Cast(steps, type));
        int own = c.Rank(scale);
        if (own == 0 || c.Type(scale).StaticShape() is [1])
        {
            return c.Gradients((1, b.Reshape(b.ReduceSum(product), c.ShapeOf(scale))));
        }

        int rank = c.Rank(c.X);
        int axis = (int)c.Node.Int("axis", 1);
        axis = axis < 0 ? axis + rank : axis;
        long block = c.Node.Int("block_size", 0);
        if (block == 0)
        {
            string perPlace = b.ReduceSum(product, [.. Enumerable.Range(0, rank).Where(a => a != axis).Select(a => (long)a)]);
            return c.Gradients((1, c.SumTo(perPlace, new TensorType(type, [c.Type(c.X).Shape![axis]]), scale)));
        }

        // The last block may be cut short: zeros fill it.
        string blocks = b.Size(scale, axis);
        string missing = b.Sub(b.Mul(blocks, b.Integers(block)), b.Size(c.X, axis));
        string whole = b.Pad(product, b.PadsOfAll(b.Concat(0, b.Integers(0), missing), [axis], rank));
        string parted = b.ReshapeTo(
            whole, b.Node("Shape", [c.X], Attributes.Of("end", axis)), blocks, b.Integers(block), b.Node("Shape", [c.X], Attributes.Of("start", axis + 1)));
        return c.Gradients((1, b.ReduceSum(parted, [axis + 1])));
    }

    /// <summary>The integers have none. scale = (max(x, 0) − min(x, 0))/255 has, at the elements that attain the extrema, which share it.</summary>
    public static IReadOnlyList<string?> DynamicQuantize(GradientContext c)
    {
        GraphBuilder b = c.B;
        string zero = c.Scalar(0);
        string Share(string extremum, string counts)
        {
            string mask = c.Mask(b.And(b.Equal(c.X, extremum), counts));
            return b.Div(mask, b.Max(b.ReduceSum(mask), c.Scalar(1)));
        }

        string greatest = b.Node("ReduceMax", [c.X], Attributes.Of("keepdims", 0));
        string least = b.Node("ReduceMin", [c.X], Attributes.Of("keepdims", 0));
        string slope = b.Sub(Share(greatest, b.Greater(greatest, zero)), Share(least, b.Less(least, zero)));
        return c.UpstreamOf(1) is string upstream ? [b.Mul(b.Mul(upstream, slope), c.Scalar(1.0 / 255))] : [null];
    }
}
