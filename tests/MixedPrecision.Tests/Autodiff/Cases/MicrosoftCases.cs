using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

/// <summary>Fused operators of com.microsoft: differences are taken on ONNX Runtime's kernel, gradients on what lowering writes instead.</summary>
internal static class MicrosoftCases
{
    private const string Domain = "com.microsoft";

    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Fused("Gelu", from shape in Draw.Rank(1, 3) from x in Draw.Real(shape) select new GradientCase("Gelu", [x])),
        Fused("BiasGelu", from shape in Draw.Rank(1, 3)
                          from x in Draw.Real(shape)
                          from bias in Draw.Real(shape[^1])
                          select new GradientCase("BiasGelu", [x, bias])),
        Fused("FastGelu", from shape in Draw.Rank(1, 3)
                          from x in Draw.Real(shape)
                          from bias in Draw.Real(shape[^1])
                          from biased in Gen.Bool
                          select new GradientCase("FastGelu", biased ? [x, bias] : [x])),
        Fused("QuickGelu", from shape in Draw.Rank(1, 3) from x in Draw.Real(shape) select new GradientCase("QuickGelu", [x], Attributes.Of("alpha", 1.5f))),
        Fused("FusedMatMul", from flags in Gen.Bool.Array[2]
                             from sizes in Draw.Size.Array[3]
                             from batch in Draw.Rank(0, 2)
                             from a in Draw.Real([.. batch, .. Turned(flags[0], sizes[0], sizes[1])])
                             from b in Draw.Real([.. batch, .. Turned(flags[1], sizes[1], sizes[2])])
                             select new GradientCase("FusedMatMul", [a, b], Attributes.Of("transA", flags[0] ? 1 : 0), Attributes.Of("transB", flags[1] ? 1 : 0), Attributes.Of("alpha", 0.7f))),
        Fused("FusedMatMul with batches", from flags in Gen.Bool.Array[2]
                                          from sizes in Draw.Size.Array[4]
                                          from a in Draw.Real(flags[0] ? [sizes[1], sizes[0], sizes[2]] : [sizes[0], sizes[1], sizes[2]])
                                          from b in Draw.Real(flags[1] ? [sizes[2], sizes[0], sizes[3]] : [sizes[0], sizes[2], sizes[3]])
                                          select new GradientCase("FusedMatMul", [a, b], Attributes.Of("transBatchA", flags[0] ? 1 : 0), Attributes.Of("transBatchB", flags[1] ? 1 : 0))),
        Fused("FusedGemm", from a in Draw.Real(2, 3)
                           from b in Draw.Real(3, 2)
                           from c in Draw.Real(2)
                           from activation in Draw.OneOf("Tanh", "Sigmoid", "LeakyRelu")
                           select new GradientCase("FusedGemm", [a, b, c], [
                               Attributes.Of("activation", activation),
                               .. activation == "LeakyRelu" ? [Attributes.Of("activation_alpha", 0.3f)] : Array.Empty<AttributeProto>()])),
        Fused("FusedConv", from x in Draw.Real(1, 2, 4, 4)
                           from weight in Draw.Real(2, 2, 3, 3)
                           from bias in Draw.Real(2)
                           from addend in Draw.Real(1, 2, 4, 4)
                           from added in Gen.Bool
                           from activation in Draw.OneOf("Tanh", "Sigmoid")
                           select new GradientCase("FusedConv", added ? [x, weight, bias, addend] : [x, weight, bias], Attributes.Of("activation", activation), Attributes.Of("pads", [1, 1, 1, 1]))),

        // Where these bend differences mean nothing: their values are compared.
        Fused("FusedConv that bends", from x in Draw.Real(1, 2, 4, 4)
                                      from weight in Draw.Real(2, 2, 3, 3)
                                      from kind in Draw.OneOf("Relu", "LeakyRelu", "Clip", "HardSigmoid")
                                      let parameters = kind switch { "LeakyRelu" => new[] { 0.3f }, "Clip" => [-0.5f, 0.7f], "HardSigmoid" => [0.3f, 0.4f], _ => [] }
                                      select new GradientCase(
                                          "FusedConv",
                                          [x with { Checked = false }, weight with { Checked = false }],
                                          [Attributes.Of("activation", kind), .. parameters.Length > 0 ? [Floats("activation_params", parameters)] : Array.Empty<AttributeProto>()])),
        Fused("SkipLayerNormalization", from sizes in Gen.Long[2, 4].Array[3]
                                        from x in Draw.Real(sizes)
                                        from skip in Draw.Real(sizes)
                                        from parameters in Draw.Real(sizes[2]).Array[3]
                                        from count in Gen.Int[1, 3]
                                        from summed in Gen.Bool
                                        select new GradientCase("SkipLayerNormalization", [x, skip, .. parameters.Take(count)], Attributes.Of("epsilon", 0.01f)) { Outputs = summed ? 4 : 1, Left = [1, 2] }),
        Fused("SkipSimplifiedLayerNormalization", from sizes in Gen.Long[2, 4].Array[3]
                                                  from x in Draw.Real(sizes)
                                                  from skip in Draw.Real(sizes)
                                                  from parameters in Draw.Real(sizes[2]).Array[2]
                                                  from count in Gen.Int[1, 2]
                                                  from summed in Gen.Bool
                                                  select new GradientCase("SkipSimplifiedLayerNormalization", [x, skip, .. parameters.Take(count)], Attributes.Of("epsilon", 0.01f)) { Outputs = summed ? 4 : 1, Left = [1, 2] }),
        Fused("EmbedLayerNormalization", from ids in Ids(0, 4)
                                         from segments in Ids(0, 1)
                                         from words in Draw.Real(5, 4)
                                         from places in Draw.Real(3, 4)
                                         from kinds in Draw.Real(2, 4)
                                         from parameters in Draw.Real(4).Array[2]
                                         from segmented in Gen.Bool
                                         select new GradientCase(
                                             "EmbedLayerNormalization",
                                             [ids, segmented ? segments : Operand.None, .. new[] { words, places, segmented ? kinds : Operand.None }.Concat(parameters).Select(o => o with { Declared = true })],
                                             Attributes.Of("epsilon", 0.01f)) { Outputs = 2 }),
    ];

    private static long[] Turned(bool turned, long rows, long columns) => turned ? [columns, rows] : [rows, columns];

    private static Gen<Operand> Ids(int from, int to) => Gen.Int[from, to].Array[6].Select(v => Operand.Of(Tensor.Of<int>(v, 2, 3)));

    private static (string Name, CaseRow Row) Fused(string name, Gen<GradientCase> generator) =>
        Row($"{Domain}.{name}", generator.Select(c => c with { Domain = Domain }), $"{Domain}.{name.Split(' ')[0]}", floatOnly: true);
}
