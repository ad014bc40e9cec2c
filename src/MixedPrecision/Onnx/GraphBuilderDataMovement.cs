namespace MixedPrecision.Onnx;

/// <summary>Operators of ONNX (opset 21) that move elements or compute shapes, as methods of the builder.</summary>
public static class GraphBuilderDataMovement
{
    /// <summary>A tensor of a shape known at run time, every element of one value.</summary>
    public static string Filled(this GraphBuilder b, string shape, double value, int elementType) => b.Expand(b.Scalar(value, elementType), shape);

    /// <summary>A tensor of zeros of a shape known at run time.</summary>
    public static string Zeros(this GraphBuilder b, string shape, int elementType) => b.Filled(shape, 0, elementType);

    /// <summary>The size along one axis (negative: from the end) as a vector of one element.</summary>
    public static string Size(this GraphBuilder b, string x, long axis) => axis == -1
        ? b.Node("Shape", [x], Attributes.Of("start", -1))
        : b.Node("Shape", [x], Attributes.Of("start", axis), Attributes.Of("end", axis + 1));

    /// <summary>The number of elements, an int64 scalar.</summary>
    public static string ElementCount(this GraphBuilder b, string x) => b.Node("Size", [x]);

    /// <summary>0, 1, … up to the limit, exclusive; the limit is an int64 scalar.</summary>
    public static string Range(this GraphBuilder b, string limit) => b.Node("Range", [b.Scalar(0, ElementType.Int64), limit, b.Scalar(1, ElementType.Int64)]);

    /// <summary>All dimensions before the axis as the first one, the others as the second.</summary>
    public static string Flatten(this GraphBuilder b, string x, long axis) => b.Node("Flatten", [x], Attributes.Of("axis", axis));

    /// <summary>A reshape to constant sizes, where 0 keeps the input's size at that place and one −1 is worked out.</summary>
    public static string Reshape0(this GraphBuilder b, string x, params long[] sizes) => b.Node("Reshape", [x, b.Integers(sizes)]);

    /// <summary>A reshape to sizes put together from vectors, of which one element may be −1, to be worked out.</summary>
    public static string ReshapeTo(this GraphBuilder b, string x, params string[] sizes) => b.Node("Reshape", [x, b.Concat(0, sizes)]);

    /// <summary>One dimension.</summary>
    public static string Vector(this GraphBuilder b, string x) => b.Node("Reshape", [x, b.Integers(-1)]);

    /// <summary>The sum over axes computed at run time; an empty vector of axes sums over none.</summary>
    public static string ReduceSumOver(this GraphBuilder b, string x, string axes) =>
        b.Node("ReduceSum", [x, axes], Attributes.Of("keepdims", 1), Attributes.Of("noop_with_empty_axes", 1));

    /// <summary>Pads with zeros, or crops where a pad is negative: pads are all befores, then all afters, for the axes given (null: all).</summary>
    public static string Pad(this GraphBuilder b, string x, string pads, string? axes = null) =>
        b.Node("Pad", axes is null ? [x, pads] : [x, pads, "", axes]);

    /// <summary>
    /// Pads of some axes, none of them counted from the end, as pads of all axes of a rank. ONNX Runtime's optimizer moves a Transpose past a Pad without regard to
    /// its axes (seen with 1.31.1), so where the rank is known no axes are written.
    /// </summary>
    public static string PadsOfAll(this GraphBuilder b, string pads, IReadOnlyList<long> axes, int rank)
    {
        long none = 2L * axes.Count;
        IEnumerable<long> places = Enumerable.Range(0, rank).Select(axis => (long)axes.ToList().IndexOf(axis));
        long[] before = [.. places.Select(p => p < 0 ? none : p)];
        return b.Gather(b.Concat(0, pads, b.Integers(0)), b.Integers([.. before, .. before.Select(p => p == none ? none : p + axes.Count)]), 0);
    }

    /// <summary>The same for a value of any rank and axes known at run time only.</summary>
    public static string PadsOfAll(this GraphBuilder b, string x, string pads, string axes)
    {
        string rank = b.Shape(b.Shape(x));
        string wide = b.Cast(axes, ElementType.Int64);
        string befores = b.Where(b.Less(wide, b.Integers(0)), b.Add(wide, rank), wide);
        return b.Node("ScatterElements", [b.Expand(b.Integers(0), b.Add(rank, rank)), b.Concat(0, befores, b.Add(befores, rank)), pads]);
    }

    /// <summary>Adds updates into data along one axis at the indices, one index per element.</summary>
    public static string ScatterElementsAdd(this GraphBuilder b, string data, string indices, string updates, long axis) =>
        b.Node("ScatterElements", [data, indices, updates], Attributes.Of("axis", axis), Attributes.Of("reduction", "add"));

    /// <summary>Adds slices into data at the index vectors that stand in the last axis of the indices.</summary>
    public static string ScatterSlicesAdd(this GraphBuilder b, string data, string indices, string updates) =>
        b.Node("ScatterND", [data, indices, updates], Attributes.Of("reduction", "add"));

    public static string GatherElements(this GraphBuilder b, string data, string indices, long axis) =>
        b.Node("GatherElements", [data, indices], Attributes.Of("axis", axis));

    /// <summary>Parts along an axis, of the sizes in a vector computed at run time.</summary>
    public static string[] Split(this GraphBuilder b, string x, string sizes, int parts, long axis) =>
        b.NodeWithOutputs("Split", parts, [x, sizes], Attributes.Of("axis", axis));
}
