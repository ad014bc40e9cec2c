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
        Row("BatchNormalization", Batch(training: false)),
        Row("BatchNormalization in training", Batch(training: true), "BatchNormalization"),
        Row("InstanceNormalization", from shape in Draw.Rank(3, 5)
                                     from x in Draw.Real(shape)
                                     from parameters in Parameters(shape[1], 2)
                                     select new GradientCase("InstanceNormalization", [x, .. parameters], Attributes.Of("epsilon", 0.01f)), floatOnly: true),
        Row("GroupNormalization", from shape in Draw.Rank(3, 4)
                                  from groups in Gen.Long[1, 2]
                                  from x in Draw.Real([shape[0], shape[1] * groups, .. shape[2..]])
                                  from opset in Draw.OneOf(18, 21)
                                  from parameters in Parameters(opset == 21 ? shape[1] * groups : groups, 2)
                                  select new GradientCase("GroupNormalization", [x, .. parameters], Attributes.Of("num_groups", groups), Attributes.Of("epsilon", 0.01f)) { Opset = opset }, floatOnly: true),
        Row("LayerNormalization with statistics", from shape in Draw.Rank(1, 3)
                                                  from x in Draw.Real(shape)
                                                  from axis in Draw.Axis(shape.Length)
                                                  from scale in Draw.Real(shape[(int)(axis < 0 ? axis + shape.Length : axis)..])
                                                  select new GradientCase("LayerNormalization", [x, scale], Attributes.Of("axis", axis), Attributes.Of("epsilon", 0.01f)) { Outputs = 3 }, "LayerNormalization", floatOnly: true),
        Row("MeanVarianceNormalization", from size in Gen.Long[2, 4]
                                         from x in Draw.Real(size, 2, 3, 2)
                                         select new GradientCase("MeanVarianceNormalization", [x]), floatOnly: true),
        Row("LpNormalization", from shape in Draw.Rank(1, 3)
                               from x in Draw.Real(Values.NotSmall, shape)
                               from axis in Draw.Axis(shape.Length)
                               from p in Gen.Long[1, 2]
                               select new GradientCase("LpNormalization", [x], Attributes.Of("axis", axis), Attributes.Of("p", p))),
        Row("LRN", from channels in Gen.Long[1, 5]
                   from x in Draw.Real(2, channels, 2, 2)
                   from size in Gen.Long[0, 2]
                   select new GradientCase("LRN", [x], Attributes.Of("size", (2 * size) + 1), Attributes.Of("alpha", 0.5f), Attributes.Of("bias", 1.5f)), floatOnly: true),
        Row("Softmax of old versions", from shape in Draw.Rank(2, 4)
                                       from x in Draw.Real(shape)
                                       from name in Draw.OneOf("Softmax", "LogSoftmax")
                                       from axis in Gen.Long[0, shape.Length - 1]
                                       select new GradientCase(name, [x], Attributes.Of("axis", axis)) { Opset = 11 }, "Softmax"),
    ];

    private static Gen<GradientCase> Batch(bool training) =>
        from shape in Draw.Rank(2, 4)
        from x in Draw.Real([3, .. shape[1..]])
        from parameters in Parameters(shape[1], 3)
        from variance in Draw.Real(Values.Positive, shape[1])
        select new GradientCase("BatchNormalization", [x, .. parameters, variance], Attributes.Of("epsilon", 0.01f), Attributes.Of("training_mode", training ? 1 : 0)) { Outputs = training ? 3 : 1 };

    private static Gen<Operand[]> Parameters(long channels, int count) => Draw.Real(channels).Array[count];

    private static (string Name, CaseRow Row) AlongAxis(string name) => Row(
        name,
        from shape in Draw.Rank(1, 4)
        from x in Draw.Real(shape)
        from axis in Draw.Axis(shape.Length)
        select new GradientCase(name, [x], Attributes.Of("axis", axis)));
}
