using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

/// <summary>Layers that are quantized already.</summary>
internal static class QuantizedCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Row("DequantizeLinear", from shape in Draw.Rank(2, 4)
                                from axis in Draw.Axis(shape.Length)
                                let size = shape[axis < 0 ? axis + shape.Length : axis]
                                from perTensor in Gen.Bool
                                from x in Bytes(shape)
                                from scale in Draw.Real(perTensor ? [] : [size])
                                from zero in Bytes(perTensor ? [] : [size])
                                from given in Gen.Bool
                                from opset in Draw.OneOf(13, 19, 21)
                                select new GradientCase("DequantizeLinear", given ? [x, scale, zero] : [x, scale], Attributes.Of("axis", axis)) { Opset = opset }, floatOnly: true),
        Row("DequantizeLinear by blocks", from blocks in Gen.Long[1, 3]
                                          from block in Gen.Long[2, 3]
                                          from cut in Gen.Long[0, 1]
                                          from axis in Gen.Long[0, 1]
                                          let length = (blocks * block) - cut
                                          from x in Bytes(axis == 0 ? [length, 2] : [2, length])
                                          let shape = axis == 0 ? new[] { blocks, 2 } : [2, blocks]
                                          from scale in Draw.Real(shape)
                                          from zero in Bytes(shape)
                                          select new GradientCase("DequantizeLinear", [x, scale, zero], Attributes.Of("axis", axis), Attributes.Of("block_size", block)), "DequantizeLinear", floatOnly: true),
        Row("DynamicQuantizeLinear", from shape in Draw.Rank(1, 3)
                                     from x in Draw.Distinct(shape)
                                     from sign in Draw.OneOf(-1, 1)
                                     from shift in Draw.OneOf(0.1, -0.6)
                                     select new GradientCase("DynamicQuantizeLinear", [x with { Reals = [.. x.Reals!.Select(v => sign * (v + shift))] }]) { Outputs = 3 }, floatOnly: true),
        Row("com.microsoft.MatMulNBits", NarrowProduct(), floatOnly: true),
    ];

    private static Gen<GradientCase> NarrowProduct() =>
        from bits in Draw.OneOf(2L, 4, 8)
        from n in Gen.Long[1, 3]
        from blocks in Gen.Long[1, 3]
        from cut in Gen.Long[0, 15]

            // The kernel for 8 bits takes packed zero points only.
        from zeroForm in Gen.Int[0, bits == 8 ? 1 : 2]
        from biased in Gen.Bool
        from rows in Draw.Rank(1, 2)
        let k = (16 * blocks) - cut
        from x in Draw.Real([.. rows, k])
        from weight in Bytes([n, blocks, 2 * bits], constant: true)
        from scale in Draw.Real(n, blocks)
        from packed in Bytes([n, ((blocks * bits) + 7) / 8], constant: true)
        from numbers in Draw.Real(n, blocks)
        from bias in Draw.Real(n)
        select new GradientCase(
            "MatMulNBits",
            [
                x,
                weight,
                scale,
                zeroForm switch { 0 => Operand.None, 1 => packed, _ => numbers },
                Operand.None,
                biased ? bias with { Declared = true } : Operand.None,
            ],
            Attributes.Of("K", k),
            Attributes.Of("N", n),
            Attributes.Of("bits", bits),
            Attributes.Of("block_size", 16))
        { Domain = "com.microsoft" };

    private static Gen<Operand> Bytes(params long[] shape) => Bytes(shape, constant: false);

    private static Gen<Operand> Bytes(long[] shape, bool constant) =>
        Gen.Byte.Array[(int)Tensor.ElementCount(shape)].Select(v => Operand.Of(Tensor.Of<byte>(v, shape), constant));
}
