using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration.Autodiff.Rules;

/// <summary>Operators that pick elements: the gradient is added where the elements came from.</summary>
internal static class Indexing
{
    /// <summary>Along axis 0 by slices; any other axis is brought to the front first.</summary>
    public static IReadOnlyList<string?> Gather(GradientContext c)
    {
        long axis = c.Node.Int("axis", 0);
        string indices = c.B.Unsqueeze(c.Input(1), -1);
        if (axis == 0)
        {
            return c.Gradients((0, c.B.ScatterSlicesAdd(c.ZerosLike(c.X), indices, c.Upstream)));
        }

        int rank = c.Rank(c.X);
        int picked = c.Rank(c.Input(1));
        int along = (int)(axis < 0 ? axis + rank : axis);
        int[] other = [.. Enumerable.Range(0, rank).Where(a => a != along)];
        string shape = c.B.Gather(c.ShapeOf(c.X), c.B.Integers([along, .. other.Select(a => (long)a)]), 0);
        IEnumerable<long> toFront = Enumerable.Range(along, picked).Concat(Enumerable.Range(0, along)).Concat(Enumerable.Range(along + picked, rank - 1 - along)).Select(a => (long)a);
        IEnumerable<long> back = Enumerable.Range(0, rank).Select(a => a == along ? 0L : Array.IndexOf(other, a) + 1);
        string updates = c.B.Transpose(c.Upstream, toFront);
        return c.Gradients((0, c.B.Transpose(c.B.ScatterSlicesAdd(c.B.Zeros(shape, c.ElementType), indices, updates), back)));
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
        return c.Gradients((0, b.Pad(c.Upstream, b.Concat(0, before, after), axes)));
    }
}
