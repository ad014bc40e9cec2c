using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>Operators that pick elements: the gradient is added where the elements came from.</summary>
internal static class Indexing
{
    /// <summary>Along axis 0 by slices; any other axis is brought to the front first.</summary>
    public static IReadOnlyList<string?> Gather(GradientContext c)
    {
        long axis = c.Node.Int("axis", 0);
        string places = c.Type(c.Input(1)).ElementType == Onnx.ElementType.Int64 ? c.Input(1) : c.B.Cast(c.Input(1), Onnx.ElementType.Int64);
        string indices = c.B.Unsqueeze(places, -1);
        if (axis == 0)
        {
            return c.Gradients((0, c.B.ScatterSlicesAdd(c.ZerosLike(c.X), indices, c.Upstream)));
        }

        return c.Gradients((0, Slices(c, axis, indices, c.Rank(c.Input(1)))));
    }

    /// <summary>The upstream gradient's slices along an axis, or along the axes of indices of some rank that stand there, added up where the indices say.</summary>
    private static string Slices(GradientContext c, long axis, string indices, int picked)
    {
        int rank = c.Rank(c.X);
        int along = (int)(axis < 0 ? axis + rank : axis);
        int[] other = [.. Enumerable.Range(0, rank).Where(a => a != along)];
        string shape = c.B.Gather(c.ShapeOf(c.X), c.B.Integers([along, .. other.Select(a => (long)a)]), 0);
        IEnumerable<long> toFront = Enumerable.Range(along, picked).Concat(Enumerable.Range(0, along)).Concat(Enumerable.Range(along + picked, rank - 1 - along)).Select(a => (long)a);
        IEnumerable<long> back = Enumerable.Range(0, rank).Select(a => a == along ? 0L : Array.IndexOf(other, a) + 1);
        string updates = c.B.Transpose(c.Upstream, toFront);
        return c.B.Transpose(c.B.ScatterSlicesAdd(c.B.Zeros(shape, c.ElementType), indices, updates), back);
    }

    public static IReadOnlyList<string?> GatherElements(GradientContext c) =>
        c.Gradients((0, c.B.ScatterElementsAdd(c.ZerosLike(c.X), c.Input(1), c.Upstream, c.Node.Int("axis", 0))));

    /// <summary>Contiguous slices by padding with zeros, those with another step by the index grid.</summary>
    public static IReadOnlyList<string?> Slice(GradientContext c)
    {
        if (c.HasInput(4) && c.ConstantIntegers(4)?.All(step => step == 1) != true)
        {
            return c.Gradients((0, IndexGrid.Gradient(c)));
        }

        GraphBuilder b = c.B;
        string starts = b.Cast(c.Input(1), Onnx.ElementType.Int64);
        string axes = c.HasInput(3)
            ? b.Cast(c.Input(3), Onnx.ElementType.Int64)
            : b.Range(b.Squeeze(b.Shape(starts), 0));
        string sizes = b.Gather(c.ShapeOf(c.X), axes, 0);
        string kept = b.Gather(c.ShapeOf(c.Y), axes, 0);
        string zero = b.Integers(0);
        string before = b.Max(b.Min(b.Where(b.Less(starts, zero), b.Add(starts, sizes), starts), sizes), zero);
        string after = b.Sub(b.Sub(sizes, before), kept);
        string pads = b.Concat(0, before, after);
        if (c.Type(c.X).Rank is int rank && Axes(c, rank) is { } known)
        {
            return c.Gradients((0, b.Pad(c.Upstream, b.PadsOfAll(pads, known, rank))));
        }

        return c.Gradients((0, b.Pad(c.Upstream, pads, axes)));
    }

    /// <summary>The axes of a Slice when they are known.</summary>
    private static long[]? Axes(GradientContext c, int rank) => c.HasInput(3)
        ? c.ConstantIntegers(3)?.Select(a => a < 0 ? a + rank : a).ToArray()
        : c.Type(c.Input(1)).Shape is [{ Size: long count }] ? [.. Enumerable.Range(0, (int)count).Select(a => (long)a)] : null;

    /// <summary>Compress, and GatherND with batch axes: by the index grid.</summary>
    public static IReadOnlyList<string?> ByGrid(GradientContext c) => c.Gradients((0, IndexGrid.Gradient(c)));

    /// <summary>Each value, or slice along an axis, comes from where it first stood.</summary>
    public static IReadOnlyList<string?> Unique(GradientContext c)
    {
        string indices = c.B.Unsqueeze(c.Output(1), -1);
        if (c.Node.Attribute("axis") is { } axis)
        {
            return c.Gradients((0, Slices(c, axis.I, indices, picked: 1)));
        }

        string flat = c.B.Zeros(c.B.Shape(c.B.Reshape(c.X, c.B.Integers(-1))), c.ElementType);
        return c.Gradients((0, c.B.Reshape(c.B.ScatterSlicesAdd(flat, indices, c.Upstream), c.ShapeOf(c.X))));
    }

    public static IReadOnlyList<string?> GatherSlices(GradientContext c) => c.Node.Int("batch_dims", 0) == 0
        ? c.Gradients((0, c.B.ScatterSlicesAdd(c.ZerosLike(c.X), c.Input(1), c.Upstream)))
        : ByGrid(c);

    /// <summary>The values' gradients go to the indices, none of which comes twice.</summary>
    public static IReadOnlyList<string?> TopK(GradientContext c) =>
        c.Gradients((0, c.B.Node("ScatterElements", [c.ZerosLike(c.X), c.Output(1), c.Upstream], Attributes.Of("axis", c.Node.Int("axis", -1)))));

    public static IReadOnlyList<string?> ScatterElements(GradientContext c)
    {
        AttributeProto axis = Attributes.Of("axis", c.Node.Int("axis", 0));
        return Scatter(
            c,
            value => c.B.Node("GatherElements", [value, c.Input(1)], axis),
            (data, updates, reduction) => c.B.Node("ScatterElements", [data, c.Input(1), updates], axis, Attributes.Of("reduction", reduction)));
    }

    public static IReadOnlyList<string?> ScatterSlices(GradientContext c) => Scatter(
        c,
        value => c.B.Node("GatherND", [value, c.Input(1)]),
        (data, updates, reduction) => c.B.Node("ScatterND", [data, c.Input(1), updates], Attributes.Of("reduction", reduction)));

    /// <summary>Replaced elements pass nothing to the data; for max and min, those that attain the extremum share equally.</summary>
    private static string?[] Scatter(GradientContext c, Func<string, string> gather, Func<string, string, string, string> scatter)
    {
        GraphBuilder b = c.B;
        string updates = c.Input(2);
        string data;
        string update;
        switch (c.Node.Text("reduction", "none"))
        {
            case "none":
                return c.Gradients((0, c.Needs(0) ? scatter(c.Upstream, c.ZerosLike(updates), "none") : null), (2, c.Needs(2) ? gather(c.Upstream) : null));
            case "add":
                return c.Gradients((0, c.Upstream), (2, c.Needs(2) ? gather(c.Upstream) : null));
            case "mul":
                string ones = b.Filled(c.ShapeOf(c.X), 1, c.ElementType);
                data = b.Mul(c.Upstream, scatter(ones, updates, "mul"));
                update = b.Mul(gather(c.Upstream), OtherFactors(c, gather, scatter));
                break;
            default:
                string extremum = c.OutputAgain();
                string held = c.Mask(b.Equal(c.X, extremum));
                string attained = c.Mask(b.Equal(updates, gather(extremum)));
                string share = b.Div(c.Upstream, b.Max(scatter(held, attained, "add"), c.Scalar(1)));
                data = b.Mul(share, held);
                update = b.Mul(gather(share), attained);
                break;
        }

        return c.Gradients((0, data), (2, update));
    }

    /// <summary>For each update the product of all else at its place, exact with any number of zeros among the updates.</summary>
    private static string OtherFactors(GradientContext c, Func<string, string> gather, Func<string, string, string, string> scatter)
    {
        GraphBuilder b = c.B;
        string zero = c.Scalar(0);
        string isZero = b.Equal(c.Input(2), zero);
        string safe = b.Where(isZero, c.Scalar(1), c.Input(2));
        string product = gather(scatter(c.X, safe, "mul"));
        string zeros = gather(scatter(c.ZerosLike(c.X), c.Mask(isZero), "add"));
        string ofZero = b.Where(b.Equal(zeros, c.Scalar(1)), product, zero);
        return b.Where(isZero, ofZero, b.Where(b.Equal(zeros, zero), b.Div(product, safe), zero));
    }

    /// <summary>The operand of values [off, on]: what stands at the hot places belongs to the second, the rest to the first.</summary>
    public static IReadOnlyList<string?> OneHot(GradientContext c)
    {
        GraphBuilder b = c.B;
        int type = c.Type(c.Input(2)).ElementType;
        string switched = b.Cast(b.Integers(0, 1), type);
        string hot = b.Mul(c.Upstream, b.Node("OneHot", [c.X, c.Input(1), switched], Attributes.Of("axis", c.Node.Int("axis", -1))));
        string on = b.ReduceSum(hot);
        string off = b.Sub(b.ReduceSum(c.Upstream), on);
        return c.Gradients((2, b.Concat(0, b.Unsqueeze(off, 0), b.Unsqueeze(on, 0))));
    }

    /// <summary>start + i·delta.</summary>
    public static IReadOnlyList<string?> Range(GradientContext c)
    {
        string places = c.B.Cast(c.B.Range(c.B.ElementCount(c.Y)), c.ElementType);
        return [c.B.ReduceSum(c.Upstream), null, c.B.ReduceSum(c.B.Mul(c.Upstream, places))];
    }
}
