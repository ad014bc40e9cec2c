using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>
/// One rule for operators that only move elements of their first input: the same node run on 0, 1, 2, … in the input's shape says where each
/// output element came from.
/// </summary>
internal static class IndexGrid
{
    /// <summary>The gradient of the first input.</summary>
    /// <param name="others">The inputs of the node after the first; null for its own.</param>
    public static string Gradient(GradientContext c, IEnumerable<string>? others = null)
    {
        GraphBuilder b = c.B;
        string shape = c.ShapeOf(c.X);
        string count = b.ElementCount(c.X);
        string grid = b.Reshape(b.Range(count), shape);
        string sources = b.NodeTo([b.Fresh("sources")], c.Node.OpType, c.Node.Domain, [grid, .. others ?? c.Node.Input.Skip(1)], [.. c.Node.Attribute])[0];
        string zeros = b.Zeros(b.Unsqueeze(count, 0), c.ElementType);
        return b.Reshape(b.ScatterElementsAdd(zeros, b.Vector(sources), b.Vector(c.Upstream), 0), shape);
    }
}
