using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

/// <summary>Inputs keep 0.1 away from where the function bends, since differences across a bend mean nothing.</summary>
internal static class ActivationCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        One("Relu", Values.AwayFrom(1, 0), floatOnly: false),
        One("LeakyRelu", Values.AwayFrom(1, 0), "alpha"),
        One("Elu", Values.AwayFrom(1, 0), "alpha"),
        One("Celu", Values.AwayFrom(1, 0), "alpha"),
        One("Selu", Values.AwayFrom(1, 0), "alpha", "gamma"),
        Row("HardSigmoid", from shape in Draw.Shape
                           from x in Draw.Real(Values.AwayFrom(3, -2.5, 2.5), shape)
                           select new GradientCase("HardSigmoid", [x]), floatOnly: true),
        Row("HardSigmoid with attributes", from shape in Draw.Shape
                                           from x in Draw.Real(Values.AwayFrom(1, -1.5, 1), shape)
                                           select new GradientCase("HardSigmoid", [x], Attributes.Of("alpha", 0.4f), Attributes.Of("beta", 0.6f)), "HardSigmoid", floatOnly: true),
        One("HardSwish", Values.AwayFrom(3, -3, 3)),
        One("Mish", Values.Normal),
        One("Softplus", Values.Normal),
        One("Softsign", Values.AwayFrom(1, 0)),
        Row("ThresholdedRelu", from shape in Draw.Shape
                               from x in Draw.Real(Values.AwayFrom(1, 0.5), shape)
                               select new GradientCase("ThresholdedRelu", [x], Attributes.Of("alpha", 0.5f)), floatOnly: true),
        Row("Shrink", from shape in Draw.Shape
                      from x in Draw.Real(Values.AwayFrom(1, -0.5, 0.5), shape)
                      select new GradientCase("Shrink", [x], Attributes.Of("lambd", 0.5f), Attributes.Of("bias", 0.2f)), floatOnly: true),
        Row("Gelu", from shape in Draw.Shape
                    from x in Draw.Real(shape)
                    from approximate in Draw.OneOf("none", "tanh")
                    select new GradientCase("Gelu", [x], Attributes.Of("approximate", approximate)), floatOnly: true),
        Row("Swish", from shape in Draw.Shape
                     from x in Draw.Real(shape)
                     from alpha in Gen.Float[0.5f, 2]
                     select new GradientCase("Swish", [x], Attributes.Of("alpha", alpha)) { Opset = 24 }),
        Row("PRelu", from shapes in Draw.Broadcast(2)
                     from x in Draw.Real(Values.AwayFrom(1, 0), Largest(shapes))
                     from slope in Draw.Real(shapes[1])
                     select new GradientCase("PRelu", [x, slope]), floatOnly: true),
        Row("Clip", from shape in Draw.Shape
                    from x in Draw.Real(Values.AwayFrom(1, -0.5, 0.5), shape)
                    from given in Gen.Int[0, 3]
                    select new GradientCase("Clip", [x, (given & 1) == 1 ? Scalar(-0.5) : Operand.None, (given & 2) == 2 ? Scalar(0.5) : Operand.None])),
        Row("Clip with attributes", from shape in Draw.Shape
                                    from x in Draw.Real(Values.AwayFrom(1, -0.5, 0.5), shape)
                                    select new GradientCase("Clip", [x], Attributes.Of("min", -0.5f), Attributes.Of("max", 0.5f)) { Opset = 7 }, "Clip", floatOnly: true),
    ];

    private static Operand Scalar(double value) => new([], [value], null);

    /// <summary>The shape that both broadcast to: the slope may not enlarge the input.</summary>
    private static long[] Largest(long[][] shapes)
    {
        int rank = shapes.Max(s => s.Length);
        return [.. Enumerable.Range(0, rank).Select(axis => shapes.Max(s => axis - (rank - s.Length) is int index && index >= 0 ? s[index] : 1))];
    }

    private static (string Name, CaseRow Row) One(string name, Func<Random, double> draw, params string[] factors) => One(name, draw, true, factors);

    private static (string Name, CaseRow Row) One(string name, Func<Random, double> draw, bool floatOnly, params string[] factors) => Row(
        name,
        from shape in Draw.Shape
        from x in Draw.Real(draw, shape)
        from given in Gen.Bool
        from values in Gen.Float[0.5f, 1.5f].Array[factors.Length]
        select new GradientCase(name, [x], given ? [.. factors.Select((f, i) => Attributes.Of(f, values[i]))] : []),
        floatOnly: floatOnly);
}
