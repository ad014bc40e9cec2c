using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

internal static class MatrixCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Row("MatMul", Batched(), "MatMul"),
        Row("MatMul with a matrix", WithMatrix(), "MatMul"),
        Row("MatMul with vectors", WithVectors(), "MatMul"),
        Row("Gemm", Gemm()),
        Row("Einsum", Einsum()),
    ];

    /// <summary>Contractions, sums over a label of one operand, diagonals, an implicit output, broadcast ellipses, three operands.</summary>
    private static Gen<GradientCase> Einsum() =>
        from equation in Draw.OneOf("ij,jk->ik", "bij,bjk->bik", "ij->ji", "ij->i", "ij->", "ij,ij->", "ii->i", "ii", "ij,jk", "bhid,bhjd->bhij", "i,j->ij", "ij,j,k->ik", "...ij,...jk->...ik", "b...,b...->b...", "ij,kl->k")
        from sizes in Draw.Size.Array[26]
        from ellipses in Draw.Broadcast(2)
        from seed in Gen.Int[0, 1 << 20]
        select EinsumCase(equation, sizes, ellipses, seed);

    private static GradientCase EinsumCase(string equation, long[] sizes, long[][] ellipses, int seed)
    {
        var random = new Random(seed);
        Operand Drawn(string labels, int index)
        {
            string[] parts = labels.Split("...");
            long[] Sizes(string part) => [.. part.Select(l => sizes[l - 'a'])];
            long[] shape = parts.Length == 1 ? Sizes(labels) : [.. Sizes(parts[0]), .. ellipses[index].TakeLast(2), .. Sizes(parts[1])];
            return new Operand(shape, [.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => Values.Normal(random))], null);
        }

        return new GradientCase("Einsum", [.. equation.Split("->")[0].Split(',').Select(Drawn)], Attributes.Of("equation", equation));
    }

    private static Gen<GradientCase> Batched() =>
        from batch in Draw.Broadcast(2)
        from sizes in Draw.Size.Array[3]
        from a in Draw.Real([.. batch[0].TakeLast(2), sizes[0], sizes[1]])
        from b in Draw.Real([.. batch[1].TakeLast(2), sizes[1], sizes[2]])
        select new GradientCase("MatMul", [a, b]);

    private static Gen<GradientCase> WithMatrix() =>
        from batch in Draw.Rank(0, 2)
        from sizes in Draw.Size.Array[3]
        from a in Draw.Real([.. batch, sizes[0], sizes[1]])
        from b in Draw.Real(sizes[1], sizes[2])
        from constant in Gen.Bool
        select new GradientCase("MatMul", [a, b with { Constant = constant, Checked = !constant }]);

    private static Gen<GradientCase> WithVectors() =>
        from batch in Draw.Rank(0, 2)
        from sizes in Draw.Size.Array[2]
        from kind in Gen.Int[0, 2]
        from a in Draw.Real(kind == 0 ? [.. batch, sizes[0], sizes[1]] : [sizes[1]])
        from b in Draw.Real(kind == 1 ? [.. batch, sizes[1], sizes[0]] : [sizes[1]])
        select new GradientCase("MatMul", [a, b]);

    private static Gen<GradientCase> Gemm() =>
        from sizes in Draw.Size.Array[3]
        from transposed in Gen.Bool.Array[2]
        from addend in Gen.Int[0, 5]
        from factors in Gen.Float[0.5f, 2].Array[2]
        from a in Draw.Real(transposed[0] ? [sizes[1], sizes[0]] : [sizes[0], sizes[1]])
        from b in Draw.Real(transposed[1] ? [sizes[2], sizes[1]] : [sizes[1], sizes[2]])
        from c in Draw.Real(addend switch { 1 => [], 2 => [sizes[2]], 3 => [sizes[0], 1], 4 => [1, sizes[2]], _ => [sizes[0], sizes[2]] })
        select new GradientCase(
            "Gemm",
            addend == 0 ? [a, b] : [a, b, c],
            Attributes.Of("transA", transposed[0] ? 1 : 0),
            Attributes.Of("transB", transposed[1] ? 1 : 0),
            Attributes.Of("alpha", factors[0]),
            Attributes.Of("beta", factors[1]));
}
