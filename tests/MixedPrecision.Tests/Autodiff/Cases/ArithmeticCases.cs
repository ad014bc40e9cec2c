using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

internal static class ArithmeticCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Row("Add", Binary("Add", Values.Normal, Values.Normal)),
        Row("Sub", Binary("Sub", Values.Normal, Values.Normal)),
        Row("Mul", Binary("Mul", Values.Normal, Values.Normal)),
        Row("Div", Binary("Div", Values.Normal, Values.NotSmall)),
        Row("Mod", Binary("Mod", Values.Uniform(2.3, 2.7), Values.Uniform(0.95, 1.05), Attributes.Of("fmod", 1))),
        Row("Mod negative", Binary("Mod", Values.Uniform(-2.7, -2.3), Values.Uniform(0.95, 1.05), Attributes.Of("fmod", 1)), "Mod"),
        Row("Pow", Binary("Pow", Values.Positive, Values.Normal)),
        Row("Pow by a constant", ConstantPower(), "Pow"),
        Row("Pow by integers", IntegerPower(), "Pow"),
        Row("Sum", Many("Sum", Values.Normal)),
        Row("Mean", Many("Mean", Values.Normal), floatOnly: true),
        Row("Max", Many("Max", Values.Normal, separated: true)),
        Row("Min", Many("Min", Values.Normal, separated: true)),
        Row("Where", WhereCase()),
    ];

    private static Gen<GradientCase> Binary(string name, Func<Random, double> left, Func<Random, double> right, params AttributeProto[] attributes) =>
        from shapes in Draw.Broadcast(2)
        from x in Draw.Real(left, shapes[0])
        from y in Draw.Real(right, shapes[1])
        from constant in Gen.Int[0, 3]
        select new GradientCase(name, [x, y with { Constant = constant == 0, Checked = constant != 0 }], attributes);

    private static Gen<GradientCase> ConstantPower() =>
        from shape in Draw.Shape
        from x in Draw.Real(Values.Positive, shape)
        from exponent in Draw.OneOf(0, 1, 2, 0.5, -1, 3, -0.7)
        select new GradientCase("Pow", [x, new Operand([], [exponent], null, Constant: true, Checked: false)]);

    private static Gen<GradientCase> IntegerPower() =>
        from shapes in Draw.Broadcast(2)
        from x in Draw.Real(Values.NotSmall, shapes[0])
        from exponents in Draw.Integers(0, 3, shapes[1])
        select new GradientCase("Pow", [x, exponents]);

    /// <summary>Operands of an extremum lie on grids of their own, 0.25 apart, so that no two tie within a step of the differences.</summary>
    private static Gen<GradientCase> Many(string name, Func<Random, double> draw, bool separated = false) =>
        from count in Gen.Int[1, 3]
        from shapes in Draw.Broadcast(count)
        from operands in Gen.Int[0, 1 << 20].Select(seed => shapes.Select((s, i) => Drawn(separated ? r => Math.Round(draw(r)) + (0.25 * i) : draw, s, seed + i)).ToArray())
        select new GradientCase(name, operands);

    private static Operand Drawn(Func<Random, double> draw, long[] shape, int seed)
    {
        var random = new Random(seed);
        return new Operand(shape, [.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => draw(random))], null);
    }

    private static Gen<GradientCase> WhereCase() =>
        from shapes in Draw.Broadcast(3)
        from condition in Draw.Booleans(shapes[0])
        from x in Draw.Real(shapes[1])
        from y in Draw.Real(shapes[2])
        select new GradientCase("Where", [condition, x, y]);
}
