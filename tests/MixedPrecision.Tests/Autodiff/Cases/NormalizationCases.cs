using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

internal static class NormalizationCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        AlongAxis("Softmax"),
        AlongAxis("LogSoftmax"),
        Row("LayerNormalization", from shape in Draw.Rank(1, 4)
                                  from axis in Draw.Axis(shape.Length)
                                  let own = shape[(int)(axis < 0 ? axis + shape.Length : axis)..]
                                  from x in Draw.Real(shape)
                                  from scale in Draw.Real(own)
                                  from bias in Draw.Real(own)
                                  from biased in Gen.Bool
                                  select new GradientCase("LayerNormalization", biased ? [x, scale, bias] : [x, scale], Attributes.Of("axis", axis), Attributes.Of("epsilon", 0.01f))),
        Row("RMSNormalization", from shape in Draw.Rank(1, 4)
                                from axis in Draw.Axis(shape.Length)
                                from x in Draw.Real(shape)
                                from scale in Draw.Real(shape[(int)(axis < 0 ? axis + shape.Length : axis)..])
                                select new GradientCase("RMSNormalization", [x, scale], Attributes.Of("axis", axis), Attributes.Of("epsilon", 0.01f)) { Opset = 23 }),
        Row("SimplifiedLayerNormalization", from shape in Draw.Rank(1, 4)
                                            from x in Draw.Real(shape)
                                            from scale in Draw.Real(shape[^1])
                                            select new GradientCase("SimplifiedLayerNormalization", [x, scale], Attributes.Of("axis", -1), Attributes.Of("epsilon", 0.01f))),
    ];

    private static (string Name, CaseRow Row) AlongAxis(string name) => Row(
        name,
        from shape in Draw.Rank(1, 4)
        from x in Draw.Real(shape)
        from axis in Draw.Axis(shape.Length)
        select new GradientCase(name, [x], Attributes.Of("axis", axis)));
}
