using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

internal static class ElementwiseCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Unary("Abs", Values.NotSmall),
        Unary("Neg", Values.Normal),
        Unary("Sqrt", Values.Positive),
        Unary("Reciprocal", Values.NotSmall),
        Unary("Exp", Values.Normal),
        Unary("Log", Values.Positive),
        Unary("Erf", Values.Normal, floatOnly: true),
        Unary("Sin", Values.Normal),
        Unary("Cos", Values.Normal),
        Unary("Tan", Values.Uniform(-1.1, 1.1), floatOnly: true),
        Unary("Asin", Values.Uniform(-0.8, 0.8), floatOnly: true),
        Unary("Acos", Values.Uniform(-0.8, 0.8), floatOnly: true),
        Unary("Atan", Values.Normal, floatOnly: true),
        Unary("Sinh", Values.Normal, floatOnly: true),
        Unary("Cosh", Values.Normal, floatOnly: true),
        Unary("Asinh", Values.Normal, floatOnly: true),
        Unary("Acosh", Values.Uniform(1.4, 3), floatOnly: true),
        Unary("Atanh", Values.Uniform(-0.8, 0.8), floatOnly: true),
        Unary("Tanh", Values.Normal),
        Unary("Sigmoid", Values.Normal),
        Unary("Identity", Values.Normal),
        Row("Cast", from shape in Draw.Shape
                    from x in Draw.Real(shape)
                    from to in Draw.OneOf(ElementType.Float, ElementType.Double)
                    select new GradientCase("Cast", [x], Attributes.Of("to", to)), floatOnly: true),
        Row("CastLike", from shape in Draw.Shape
                        from x in Draw.Real(shape)
                        select new GradientCase("CastLike", [x, x with { Checked = false }])),
        Row("Dropout", from shape in Draw.Shape
                       from x in Draw.Real(shape)
                       from ratio in Gen.Bool
                       select new GradientCase("Dropout", ratio ? [x, Operand.Of(Tensor.Scalar(0.3f))] : [x])),
        Row("Dropout with a mask", from shape in Draw.Shape
                                   from x in Draw.Real(shape)
                                   from training in Gen.Bool
                                   select new GradientCase("Dropout", [x, Operand.Of(Tensor.Scalar(training ? 0f : 0.3f)), Operand.Of(Tensor.Scalar(training))]), "Dropout"),
        Row("Dropout by its ratio", from shape in Draw.Shape
                                    from x in Draw.Real(shape)
                                    from ratio in Draw.Real(Values.Uniform(0.2, 0.7))
                                    select new GradientCase("Dropout", [x, ratio, Operand.Of(Tensor.Scalar(false))]), "Dropout"),
    ];

    private static (string Name, CaseRow Row) Unary(string name, Func<Random, double> draw, bool floatOnly = false, params AttributeProto[] attributes) =>
        Row(name, from shape in Draw.Shape from x in Draw.Real(draw, shape) select new GradientCase(name, [x], attributes), floatOnly: floatOnly);
}
