using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

internal static class ShapingCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Row("Reshape", from shape in Draw.Rank(1, 4)
                       from x in Draw.Real(shape)
                       from constant in Gen.Bool
                       select new GradientCase("Reshape", [x, Operand.Of(shape[0], -1) with { Constant = constant }])),
        Row("Flatten", from shape in Draw.Rank(1, 4)
                       from x in Draw.Real(shape)
                       from axis in Gen.Long[-shape.Length, shape.Length]
                       select new GradientCase("Flatten", [x], Attributes.Of("axis", axis))),
        Row("Unsqueeze", from shape in Draw.Rank(0, 3)
                         from x in Draw.Real(shape)
                         from axis in Draw.Axis(shape.Length + 1)
                         select new GradientCase("Unsqueeze", [x, Operand.Of(axis)])),
        Row("Squeeze", from shape in Draw.Rank(0, 3)
                       from x in Draw.Real([1, .. shape])
                       select new GradientCase("Squeeze", [x, Operand.Of(0)])),
        Row("Transpose", from shape in Draw.Rank(1, 4)
                         from x in Draw.Real(shape)
                         from order in Gen.Shuffle(Enumerable.Range(0, shape.Length).Select(a => (long)a).ToArray())
                         from given in Gen.Bool
                         select new GradientCase("Transpose", [x], given ? [Attributes.Of("perm", order)] : [])),
        Row("Expand", from shapes in Draw.Broadcast(2)
                      from x in Draw.Real(shapes[0])
                      from constant in Gen.Bool
                      select new GradientCase("Expand", [x, Operand.Of(shapes[1]) with { Constant = constant }])),
        Row("Concat", from shape in Draw.Rank(1, 4)
                      from axis in Draw.Axis(shape.Length)
                      from sizes in Draw.Size.Array[1, 3]
                      from seed in Gen.Int[0, 1 << 20]
                      select new GradientCase("Concat", [.. sizes.Select((s, i) => Part(shape, axis, s, seed + i))], Attributes.Of("axis", axis))),
        Row("Split", from shape in Draw.Rank(1, 3)
                     from axis in Draw.Axis(shape.Length)
                     from sizes in Draw.Size.Array[1, 3]
                     from seed in Gen.Int[0, 1 << 20]
                     select new GradientCase("Split", [Part(shape, axis, sizes.Sum(), seed), Operand.Of(sizes)], Attributes.Of("axis", axis)) { Outputs = sizes.Length }),
        Row("Gather", from shape in Draw.Rank(1, 4)
                      from x in Draw.Real(shape)
                      from axis in Draw.Axis(shape.Length)
                      from indices in Draw.Rank(0, 2)
                      from values in Draw.Integers(-shape[axis < 0 ? axis + shape.Length : axis], shape[axis < 0 ? axis + shape.Length : axis] - 1, indices)
                      from constant in Gen.Bool
                      select new GradientCase("Gather", [x, values with { Constant = constant }], Attributes.Of("axis", axis))),
        Row("GatherElements", from shape in Draw.Rank(1, 3)
                              from x in Draw.Real(shape)
                              from axis in Draw.Axis(shape.Length)
                              let along = axis < 0 ? axis + shape.Length : axis
                              from size in Draw.Size
                              from indices in Draw.Integers(-shape[along], shape[along] - 1, [.. shape.Select((s, a) => a == along ? size : s)])
                              select new GradientCase("GatherElements", [x, indices], Attributes.Of("axis", axis))),
        Row("Slice", Slice(Gen.Const(1L)), "Slice"),
        Row("Slice with steps", Slice(Draw.OneOf(-3L, -2, -1, 1, 2)), "Slice"),
    ];

    private static Operand Part(long[] shape, long axis, long size, int seed)
    {
        long[] own = [.. shape];
        own[axis < 0 ? axis + shape.Length : axis] = size;
        var random = new Random(seed);
        return new Operand(own, [.. Enumerable.Range(0, (int)Tensor.ElementCount(own)).Select(_ => Values.Normal(random))], null);
    }

    private static Gen<GradientCase> Slice(Gen<long> step) =>
        from shape in Draw.Rank(1, 4)
        from x in Draw.Real(shape)
        from axes in Draw.Axes(shape.Length)
        from starts in Gen.Long[-5, 5].Array[axes.Length]
        from ends in Gen.Long[-5, 5].Array[axes.Length]
        from steps in step.Array[axes.Length]
        from given in Gen.Int[0, 2]
        from constant in Gen.Bool
        let operands = new[] { x, Operand.Of(starts), Operand.Of(ends), Operand.Of(given == 0 ? [.. Enumerable.Range(0, axes.Length).Select(a => (long)a)] : axes), Operand.Of(steps) }
        let count = given == 0 && steps.All(s => s == 1) ? 3 : given == 1 && steps.All(s => s == 1) ? 4 : 5
        select new GradientCase("Slice", [.. operands.Take(count).Select((o, i) => i > 0 ? o with { Constant = constant } : o)]);
}
