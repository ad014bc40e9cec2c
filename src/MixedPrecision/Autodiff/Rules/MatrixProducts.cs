using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>MatMul and Gemm. A weight is never transposed as a copy of its own where FusedMatMul can read it transposed.</summary>
internal static class MatrixProducts
{
    /// <summary>dA = dY·Bᵀ, dB = Aᵀ·dY, each summed over the batch axes that were broadcast.</summary>
    public static IReadOnlyList<string?> MatMul(GradientContext c)
    {
        string a = c.X;
        string b = c.Input(1);
        int rankB = c.Rank(b);
        if (rankB == 2 && c.Type(a).Rank is null or >= 2)
        {
            return [c.Needs(0) ? Product(c, c.Upstream, b, rankB, transposeB: true) : null, c.Needs(1) ? OfMatrix(c, a, b) : null];
        }

        int rankA = c.Rank(a);

        // Vectors take part as matrices of one row or column.
        Operand left = rankA == 1 ? new(c.B.Unsqueeze(a, 0), Prepend(c.Type(a)), 2) : new(a, c.Type(a), rankA);
        Operand right = rankB == 1 ? new(c.B.Unsqueeze(b, 1), Append(c.Type(b)), 2) : new(b, c.Type(b), rankB);
        string upstream = rankA == 1 ? c.B.Unsqueeze(c.Upstream, rankB == 1 ? -1 : -2) : c.Upstream;
        upstream = rankB == 1 ? c.B.Unsqueeze(upstream, -1) : upstream;
        return
        [
            c.Needs(0) ? SumBatch(c, Product(c, upstream, right.Value, right.Rank, transposeB: true), left, right, a) : null,
            c.Needs(1) ? SumBatch(c, Product(c, left.Value, upstream, left.Rank, transposeA: true), right, left, b) : null,
        ];
    }

    /// <summary>Y = α·A′·B′ + β·C, where ′ transposes as the attributes say.</summary>
    public static IReadOnlyList<string?> Gemm(GradientContext c)
    {
        string a = c.X;
        string b = c.Input(1);
        long transposeA = c.Node.Int("transA", 0);
        long transposeB = c.Node.Int("transB", 0);
        AttributeProto alpha = Attributes.Of("alpha", c.Node.Float("alpha", 1));
        string Multiply(string left, string right, long transposeLeft, long transposeRight) =>
            c.B.Node("Gemm", [left, right], alpha, Attributes.Of("transA", transposeLeft), Attributes.Of("transB", transposeRight));

        string? gradientA = !c.Needs(0) ? null
            : transposeA == 0 ? Multiply(c.Upstream, b, 0, 1 - transposeB) : Multiply(b, c.Upstream, transposeB, 1);
        string? gradientB = !c.Needs(1) ? null
            : transposeB == 0 ? Multiply(a, c.Upstream, 1 - transposeA, 0) : Multiply(c.Upstream, a, 1, transposeA);
        string? gradientC = null;
        if (c.Needs(2))
        {
            float beta = c.Node.Float("beta", 1);
            string scaled = beta == 1 ? c.Upstream : c.B.Mul(c.Upstream, c.Scalar(beta));
            gradientC = c.SumTo(scaled, c.Type(c.Y), c.Input(2));
        }

        return c.Gradients((0, gradientA), (1, gradientB), (2, gradientC));
    }

    /// <summary>x·y with either transposed in its last two axes.</summary>
    internal static string Product(GradientContext c, string x, string y, int rank, bool transposeA = false, bool transposeB = false)
    {
        if (c.ElementType == Onnx.ElementType.Float)
        {
            return c.B.MicrosoftNode("FusedMatMul", [x, y], Attributes.Of("transA", transposeA ? 1 : 0), Attributes.Of("transB", transposeB ? 1 : 0));
        }

        // FusedMatMul has a kernel for float only.
        long[] swapped = [.. Enumerable.Range(0, rank - 2).Select(axis => (long)axis), rank - 1, rank - 2];
        return c.B.MatMul(transposeA ? c.B.Transpose(x, swapped) : x, transposeB ? c.B.Transpose(y, swapped) : y);
    }

    /// <summary>Aᵀ·dY for a matrix B: all leading axes of A and dY are rows, how many there are does not matter.</summary>
    private static string OfMatrix(GradientContext c, string a, string b)
    {
        string Rows(string value, int axis) => c.Type(a).Rank == 2 ? value
            : c.Size(b, axis) is long size ? c.B.Reshape0(value, -1, size) : c.B.ReshapeTo(value, c.B.Integers(-1), c.B.Size(b, axis));
        return Product(c, Rows(a, 0), Rows(c.Upstream, 1), 2, transposeA: true);
    }

    private static string SumBatch(GradientContext c, string gradient, Operand own, Operand other, string value)
    {
        // The product of dY with the other operand has the broadcast batch axes, then the operand's own two.
        int batch = Math.Max(own.Rank, other.Rank) - 2;
        Dimension BatchAxis(Operand operand, int axis) =>
            axis - (batch - (operand.Rank - 2)) is int index && index >= 0 ? operand.Type.Shape![index] : Dimension.Of(1);
        Dimension Broadcast(int axis) => (BatchAxis(own, axis), BatchAxis(other, axis)) switch
        {
            (var x, { Size: 1 }) => x,
            ({ Size: 1 }, var y) => y,
            (var x, var y) when x == y => x,
            (var x, var y) => x.Size is not null ? x : y.Size is not null ? y : Dimension.Unknown,
        };
        IEnumerable<Dimension> leading = Enumerable.Range(0, batch).Select(Broadcast);
        var type = new TensorType(own.Type.ElementType, [.. leading, .. own.Type.Shape!.TakeLast(2)]);
        var otherBatch = new TensorType(other.Type.ElementType, [.. other.Type.Shape!.SkipLast(2), Dimension.Of(1), Dimension.Of(1)]);
        bool vector = c.Rank(value) == 1;
        string sum = Broadcasting.SumTo(c.B, gradient, type, own.Type, () => vector ? c.B.Shape(own.Value) : c.ShapeOf(value), [otherBatch]);
        return vector ? c.B.Reshape(sum, c.ShapeOf(value)) : sum;
    }

    private static TensorType Prepend(TensorType type) => new(type.ElementType, [Dimension.Of(1), .. type.Shape!]);

    private static TensorType Append(TensorType type) => new(type.ElementType, [.. type.Shape!, Dimension.Of(1)]);

    private sealed record Operand(string Value, TensorType Type, int Rank);
}
