using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>
/// com.microsoft's MatMulNBits: y = x·Wᵀ + bias with W[n, k] = (q − zero)·scale by blocks of k, as ONNX Runtime's operator documentation defines it. The node itself stays
/// in the forward pass; its weight is dequantized for the gradient alone. That its kernel may round x counts as no change.
/// </summary>
internal static class QuantizedProducts
{
    /// <summary>Elements that fill whole bytes, in the order of their columns.</summary>
    public static bool Covers(NodeProto node) => node.Int("bits", 4) is 2 or 4 or 8 && (node.Input.Count < 5 || node.Input[4].Length == 0);

    public static IReadOnlyList<string?> Product(GradientContext c)
    {
        GraphBuilder b = c.B;
        var form = new Form(c.Node.Int("N", 0), c.Node.Int("K", 0), c.Node.Int("block_size", 32), c.Node.Int("bits", 4));
        string zeros = Zeros(c, form);
        string steps = b.Sub(b.Cast(b.Reshape0(Unpacked(b, c.Input(1), form.Bits), form.N, form.Blocks, form.Block), c.ElementType), zeros);
        string scales = b.Reshape0(c.Input(2), form.N, form.Blocks, 1);
        string? dx = null;
        if (c.Needs(0))
        {
            string weight = b.Slice(b.Reshape0(b.Mul(steps, scales), form.N, -1), 1, 0, form.K);
            dx = b.MatMul(c.Upstream, weight);
        }

        string? dscale = null;
        string? dzero = null;
        if (c.Needs(2) || c.Needs(3))
        {
            string rows = b.Reshape0(c.Upstream, -1, form.N);
            string dweight = b.MatMul(b.Transpose(rows, [1, 0]), b.Reshape0(c.X, -1, form.K));
            string padded = b.Pad(dweight, b.Integers(0, 0, 0, (form.Blocks * form.Block) - form.K));
            string blocks = b.Reshape0(padded, form.N, form.Blocks, form.Block);
            dscale = b.Reshape(b.ReduceSum(b.Mul(blocks, steps), [2]), c.ShapeOf(c.Input(2)));
            dzero = c.Needs(3) ? b.Reshape(b.Neg(b.ReduceSum(b.Mul(blocks, scales), [2])), c.ShapeOf(c.Input(3))) : null;
        }

        string? dbias = c.Needs(5) ? b.ReduceSum(b.Reshape0(c.Upstream, -1, form.N), [0]) : null;
        return c.Gradients((0, dx), (2, dscale), (3, dzero), (5, dbias));
    }

    /// <summary>Zero points [N, blocks, 1]: packed row by row, or as numbers; the middle of the range when none are given.</summary>
    private static string Zeros(GradientContext c, Form form)
    {
        GraphBuilder b = c.B;
        if (!c.HasInput(3))
        {
            return c.Scalar(1L << (int)(form.Bits - 1));
        }

        if (c.Type(c.Input(3)).ElementType != Onnx.ElementType.UInt8)
        {
            return b.Reshape0(c.Input(3), form.N, form.Blocks, 1);
        }

        string rows = Unpacked(b, b.Reshape0(c.Input(3), form.N, -1), form.Bits);
        return b.Unsqueeze(b.Slice(b.Cast(rows, c.ElementType), 1, 0, form.Blocks), 2);
    }

    /// <summary>The last axis with each byte as the elements it holds, the lowest bits first.</summary>
    private static string Unpacked(GraphBuilder b, string bytes, long bits)
    {
        if (bits == 8)
        {
            return bytes;
        }

        string mask = b.Constant(Tensor.Scalar((byte)((1 << (int)bits) - 1)));
        string Part(int index)
        {
            string moved = index == 0
                ? bytes
                : b.Node("BitShift", [bytes, b.Constant(Tensor.Scalar((byte)(index * bits)))], Attributes.Of("direction", "RIGHT"));
            return b.Unsqueeze(b.Node("BitwiseAnd", [moved, mask]), -1);
        }

        string parts = b.Concat(-1, [.. Enumerable.Range(0, (int)(8 / bits)).Select(Part)]);
        return b.ReshapeTo(parts, b.Node("Shape", [bytes], Attributes.Of("end", -1)), b.Integers(-1));
    }

    private sealed record Form(long N, long K, long Block, long Bits)
    {
        public long Blocks => (K + Block - 1) / Block;
    }
}
