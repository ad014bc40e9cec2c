using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

internal static class ReductionCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        .. Reduction("ReduceSum", Values.Normal),
        .. Reduction("ReduceMean", Values.Normal),
        .. Reduction("ReduceMax", Values.Spread),
        .. Reduction("ReduceMin", Values.Spread),
        .. Reduction("ReduceProd", Values.NotSmall),
        .. Reduction("ReduceL1", Values.NotSmall),
        .. Reduction("ReduceL2", Values.NotSmall),
        .. Reduction("ReduceLogSum", Values.Positive),
        .. Reduction("ReduceLogSumExp", Values.Normal),
        .. Reduction("ReduceSumSquare", Values.Normal),
    ];

    private static IEnumerable<(string Name, CaseRow Row)> Reduction(string name, Func<Random, double> draw)
    {
        bool extremum = name is "ReduceMax" or "ReduceMin";
        Gen<Operand> Input(long[] shape) => extremum ? Draw.Distinct(shape) : Draw.Real(draw, shape);
        yield return Row(
            name,
            from shape in Draw.Rank(1, 4)
            from x in Input(shape)
            from axes in Draw.Axes(shape.Length)
            from kept in Gen.Bool
            from constant in Gen.Bool
            from all in Gen.Int[0, 3]
            select new GradientCase(name, all == 0 ? [x] : [x, Operand.Of(axes) with { Constant = constant }], Attributes.Of("keepdims", kept ? 1 : 0)),
            name);
        yield return Row(
            name + " with axes as an attribute",
            from shape in Draw.Rank(1, 4)
            from x in Input(shape)
            from axes in Draw.Axes(shape.Length)
            select new GradientCase(name, [x], Attributes.Of("axes", axes), Attributes.Of("keepdims", 0)) { Opset = 11 },
            name);
    }
}
