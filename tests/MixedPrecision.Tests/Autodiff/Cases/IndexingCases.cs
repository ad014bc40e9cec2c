using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

internal static class IndexingCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Row("GatherND", from shape in Draw.Rank(1, 3)
                        from x in Draw.Real(shape)
                        from depth in Gen.Int[1, shape.Length]
                        from count in Draw.Size
                        from places in Places(shape[..depth], count)
                        select new GradientCase("GatherND", [x, places])),
        Row("GatherND with batch axes", from shape in Draw.Rank(2, 4)
                                        from x in Draw.Real(shape)
                                        from index in Draw.Integers(0, shape[1] - 1, shape[0], 2, 1)
                                        select new GradientCase("GatherND", [x, index], Attributes.Of("batch_dims", 1)), "GatherND"),
        Row("ScatterElements", from shape in Draw.Rank(1, 3)
                               from axis in Draw.Axis(shape.Length)
                               let along = axis < 0 ? axis + shape.Length : axis
                               from reduction in Draw.OneOf("none", "add", "mul", "max", "min")
                               from order in Gen.Shuffle(Enumerable.Range(0, (int)shape[along]).Select(i => (long)i).ToArray())
                               from x in Draw.Real(Grid(0), shape)
                               from updates in Draw.Real(Grid(0.25), shape)
                               let stride = Tensor.ElementCount(shape.AsSpan((int)along + 1))
                               let indices = Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(i => order[i / stride % shape[along]]).ToArray()
                               select new GradientCase("ScatterElements", [x, Operand.Of(Tensor.Of<long>(indices, shape)), updates], Attributes.Of("axis", axis), Attributes.Of("reduction", reduction))),
        Row("ScatterND", from shape in Draw.Rank(1, 3)
                         from reduction in Draw.OneOf("none", "add", "mul", "max", "min")
                         from order in Gen.Shuffle(Enumerable.Range(0, (int)shape[0]).Select(i => (long)i).ToArray())
                         from count in Gen.Int[1, (int)shape[0]]
                         from x in Draw.Real(Grid(0), shape)
                         from updates in Draw.Real(Grid(0.25), [count, .. shape[1..]])
                         select new GradientCase("ScatterND", [x, Operand.Of(Tensor.Of<long>(order.AsSpan(0, count), count, 1)), updates], Attributes.Of("reduction", reduction))),
        Row("Scatter", from x in Draw.Real(3, 4)
                       from updates in Draw.Real(1, 2)
                       select new GradientCase("Scatter", [x, Operand.Of(Tensor.Of<long>([1, 3], 1, 2)), updates], Attributes.Of("axis", 1)) { Opset = 9 }, "ScatterElements"),
        Row("TopK", from shape in Draw.Rank(1, 3)
                    from axis in Draw.Axis(shape.Length)
                    from x in Draw.Distinct(shape)
                    from k in Gen.Long[1, shape[axis < 0 ? axis + shape.Length : axis]]
                    from largest in Gen.Bool
                    select new GradientCase("TopK", [x, Operand.Of(k)], Attributes.Of("axis", axis), Attributes.Of("largest", largest ? 1 : 0)) { Outputs = 2 }),
        Row("Compress", from shape in Draw.Rank(1, 3)
                        from x in Draw.Real(shape)
                        from axis in Draw.Axis(shape.Length)
                        let size = shape[axis < 0 ? axis + shape.Length : axis]
                        from kept in Gen.Bool.Array[(int)size - 1]
                        select new GradientCase("Compress", [x, Operand.Of(Tensor.Of<bool>([true, .. kept], size))], Attributes.Of("axis", axis))),
        Row("Unique", from shape in Draw.Rank(1, 3)
                      from x in Draw.Distinct(shape)
                      from axis in Draw.Axis(shape.Length)
                      from flat in Gen.Bool
                      from sorted in Gen.Long[0, 1]
                      from all in Gen.Bool
                      select new GradientCase("Unique", [x], flat ? [Attributes.Of("sorted", sorted)] : [Attributes.Of("axis", axis), Attributes.Of("sorted", sorted)]) { Outputs = all ? 4 : 1 }),
        Row("OneHot", from shape in Draw.Rank(1, 2)
                      from indices in Draw.Integers(-3, 2, shape)
                      from values in Draw.Real(2)
                      select new GradientCase("OneHot", [indices, Operand.Of(Tensor.Scalar(3L)), values], Attributes.Of("axis", -1)), floatOnly: true),
        Row("OneHot of floats", from shape in Draw.Rank(1, 2)
                                from indices in Gen.Int[-3, 2].Array[(int)Tensor.ElementCount(shape)]
                                from values in Draw.Real(2)
                                from axis in Draw.Axis(shape.Length + 1)
                                from opset in Draw.OneOf(9, 11)
                                select new GradientCase(
                                    "OneHot",
                                    [Operand.Of(Tensor.Of<float>(indices.Select(i => (float)i).ToArray(), shape)), Operand.Of(Tensor.Scalar(3f)), values],
                                    Attributes.Of("axis", axis)) { Opset = opset }, "OneHot", floatOnly: true),
        Row("Pad of some axes", from x in Draw.Real(2, 3, 4)
                                from axis in Gen.Long[-3, 2]
                                from pads in Gen.Long[0, 1].Array[2]
                                from mode in Draw.OneOf("constant", "reflect", "edge")
                                from constant in Gen.Bool
                                from value in Draw.Real()
                                select new GradientCase(
                                    "Pad",
                                    [x, Operand.Of(pads) with { Constant = constant }, mode == "constant" ? value : Operand.None, Operand.Of(axis) with { Constant = constant }],
                                    Attributes.Of("mode", mode)) { Opset = 18 }, "Pad"),
        Row("ScatterND of equal places", from x in Draw.Real(Values.NotSmall, 3, 2)
                                         from updates in Draw.Real(r => r.Next(4) == 0 ? 0 : Values.NotSmall(r), 4, 2)
                                         from places in Draw.Integers(-3, 2, 4, 1)
                                         from reduction in Draw.OneOf("add", "mul")
                                         from opset in Draw.OneOf(16, 18)
                                         select new GradientCase("ScatterND", [x, places, updates], Attributes.Of("reduction", reduction)) { Opset = opset }, "ScatterND"),
        Row("ScatterElements of equal places", from x in Draw.Real(Values.NotSmall, 3, 2)
                                               from updates in Draw.Real(r => r.Next(4) == 0 ? 0 : Values.NotSmall(r), 4, 2)
                                               from places in Draw.Integers(-3, 2, 4, 2)
                                               from reduction in Draw.OneOf("add", "mul")
                                               from opset in Draw.OneOf(16, 18)
                                               select new GradientCase("ScatterElements", [x, places, updates], Attributes.Of("reduction", reduction)) { Opset = opset }, "ScatterElements"),
        Row("Split into nothing", from x in Draw.Real(2, 3)
                                  from constant in Gen.Bool
                                  select new GradientCase("Split", [x, Operand.Of(0, 3, 0) with { Constant = constant }], Attributes.Of("axis", 1)) { Outputs = 3, Opset = 13 }, "Split"),
        Row("Slice of nothing", from x in Draw.Real(2, 3)
                                from step in Draw.OneOf(1L, 2, -1)
                                from constant in Gen.Bool
                                let kept = constant
                                select new GradientCase("Slice", [x, .. new[] { Operand.Of(100), Operand.Of(step < 0 ? 200 : 1000), Operand.Of(1), Operand.Of(step) }.Select(o => o with { Constant = kept })]) { Opset = 13 }, "Slice"),
        Row("Range", from start in Draw.Real()
                     from delta in Draw.Real(Values.Uniform(0.96, 1.04))
                     select new GradientCase("Range", [start, start with { Reals = [start.Reals![0] + 4.5], Checked = false }, delta])),
        Row("Tile", from shape in Draw.Rank(1, 3)
                    from x in Draw.Real(shape)
                    from repeats in Gen.Long[1, 3].Array[shape.Length]
                    select new GradientCase("Tile", [x, Operand.Of(repeats)])),
        Row("DepthToSpace", from block in Gen.Long[1, 2]
                            from mode in Draw.OneOf("DCR", "CRD")
                            from x in Draw.Real(2, 2 * block * block, 2, 3)
                            select new GradientCase("DepthToSpace", [x], Attributes.Of("blocksize", block), Attributes.Of("mode", mode))),
        Row("SpaceToDepth", from block in Gen.Long[1, 2]
                            from x in Draw.Real(2, 2, 2 * block, 3 * block)
                            select new GradientCase("SpaceToDepth", [x], Attributes.Of("blocksize", block))),
        Row("Pad", from shape in Draw.Rank(1, 3)
                   from x in Draw.Real(shape)
                   from pads in Gen.Long[-1, 2].Array[2 * shape.Length]
                   from value in Draw.Real()
                   from given in Gen.Bool
                   from constant in Gen.Bool
                   let kept = shape.Select((s, a) => s == 1 ? 0 : -1L).ToArray()
                   let operands = new[] { x, Operand.Of([.. pads.Select((p, i) => Math.Max(p, i < shape.Length ? kept[i] : 0))]) with { Constant = constant }, value }
                   select new GradientCase("Pad", given ? operands : operands[..2])),
        Row("Pad by copies", from shape in Draw.Rank(1, 3)
                             from x in Draw.Real(shape)
                             from mode in Draw.OneOf("reflect", "edge", "wrap")
                             from pads in Gen.Long[0, 3].Array[2 * shape.Length]
                             select new GradientCase(
                                 "Pad", [x, Operand.Of([.. pads.Select((p, i) => Math.Min(p, shape[i % shape.Length] - 1))])], Attributes.Of("mode", mode)), "Pad"),
        Row("Trilu", from shape in Draw.Rank(2, 4)
                     from x in Draw.Real(shape)
                     from offset in Gen.Long[-3, 3]
                     from upper in Gen.Bool
                     from given in Gen.Bool
                     select new GradientCase("Trilu", given ? [x, Operand.Of(Tensor.Scalar(offset), constant: true)] : [x], Attributes.Of("upper", upper ? 1 : 0))),
        Row("CumSum", from shape in Draw.Rank(1, 3)
                      from x in Draw.Real(shape)
                      from axis in Draw.Axis(shape.Length)
                      from flags in Gen.Bool.Array[2]
                      select new GradientCase("CumSum", [x, Operand.Of(Tensor.Scalar(axis), constant: true)], Attributes.Of("exclusive", flags[0] ? 1 : 0), Attributes.Of("reverse", flags[1] ? 1 : 0))),
        Row("ReverseSequence", from sizes in Draw.Size.Array[2]
                               from x in Draw.Real(sizes[0], sizes[1], 2)
                               from lengths in Draw.Integers(1, sizes[0], sizes[1])
                               select new GradientCase("ReverseSequence", [x, lengths])),
    ];

    /// <summary>Multiples of 0.5 off by a share, never zero: two such grids have no value in common.</summary>
    private static Func<Random, double> Grid(double shift) => random => (0.5 * random.Next(1, 8)) + shift;

    private static Gen<Operand> Places(long[] shape, long count) =>
        from parts in Gen.Int[0, 1 << 20].Array[(int)count * shape.Length]
        select Operand.Of(Tensor.Of<long>(parts.Select((p, i) => p % shape[i % shape.Length]).ToArray(), count, shape.Length));
}
