namespace MixedPrecision.Onnx;

/// <summary>Operators of ONNX (opset 21) as methods of the builder, so that formulas read like formulas.</summary>
public static class GraphBuilderOperators
{
    public static string Add(this GraphBuilder b, string x, string y) => b.Node("Add", [x, y]);

    public static string Sub(this GraphBuilder b, string x, string y) => b.Node("Sub", [x, y]);

    public static string Mul(this GraphBuilder b, string x, string y) => b.Node("Mul", [x, y]);

    public static string Div(this GraphBuilder b, string x, string y) => b.Node("Div", [x, y]);

    public static string Neg(this GraphBuilder b, string x) => b.Node("Neg", [x]);

    public static string MatMul(this GraphBuilder b, string x, string y) => b.Node("MatMul", [x, y]);

    public static string Where(this GraphBuilder b, string condition, string x, string y) => b.Node("Where", [condition, x, y]);

    public static string Cast(this GraphBuilder b, string x, int elementType) => b.Node("Cast", [x], Attributes.Of("to", elementType));

    public static string CastLike(this GraphBuilder b, string x, string like) => b.Node("CastLike", [x, like]);

    public static string Shape(this GraphBuilder b, string x) => b.Node("Shape", [x]);

    public static string Reshape(this GraphBuilder b, string x, string shape) => b.Node("Reshape", [x, shape], Attributes.Of("allowzero", 1));

    public static string Expand(this GraphBuilder b, string x, string shape) => b.Node("Expand", [x, shape]);

    public static string Transpose(this GraphBuilder b, string x, IEnumerable<long> permutation) => b.Node("Transpose", [x], Attributes.Of("perm", permutation));

    public static string Unsqueeze(this GraphBuilder b, string x, params long[] axes) => b.Node("Unsqueeze", [x, b.Integers(axes)]);

    public static string Squeeze(this GraphBuilder b, string x, params long[] axes) => b.Node("Squeeze", [x, b.Integers(axes)]);

    /// <summary>Sum over constant axes; no axes means all.</summary>
    public static string ReduceSum(this GraphBuilder b, string x, IReadOnlyList<long>? axes = null, bool keepDimensions = false) =>
        b.Node("ReduceSum", axes is null ? [x] : [x, b.Integers([.. axes])], Attributes.Of("keepdims", keepDimensions ? 1 : 0));

    public static string ReduceMean(this GraphBuilder b, string x, IReadOnlyList<long>? axes = null, bool keepDimensions = false) =>
        b.Node("ReduceMean", axes is null ? [x] : [x, b.Integers([.. axes])], Attributes.Of("keepdims", keepDimensions ? 1 : 0));

    public static string Concat(this GraphBuilder b, long axis, params string[] parts) => b.Node("Concat", parts, Attributes.Of("axis", axis));

    /// <summary>A slice with constant bounds, step 1.</summary>
    public static string Slice(this GraphBuilder b, string x, long axis, long start, long end) =>
        b.Node("Slice", [x, b.Integers(start), b.Integers(end), b.Integers(axis)]);

    public static string Gather(this GraphBuilder b, string data, string indices, long axis) => b.Node("Gather", [data, indices], Attributes.Of("axis", axis));
}
