using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

/// <summary>Losses, transforms, and operators that sample pictures.</summary>
internal static class SamplingCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Loss("NegativeLogLikelihoodLoss", 1),
        Loss("SoftmaxCrossEntropyLoss", 2),
        Row("GridSample", Sample(), floatOnly: true),
        Row("RoiAlign", Regions(), floatOnly: true),
        Row("Det", from rows in Gen.Long[1, 4]
                   from batch in Draw.Rank(0, 2)
                   from x in Draw.Real([.. batch, rows, rows])
                   select new GradientCase("Det", [x with { Declared = true }]), floatOnly: true),
        Row("DFT", from shape in Draw.Rank(2, 3)
                   from parts in Gen.Long[1, 2]
                   from axis in Gen.Long[0, shape.Length - 1]
                   from kind in Gen.Int[0, 2]
                   from length in Gen.Long[1, 5]
                   from cut in Gen.Bool
                   from opset in Draw.OneOf(17, 20)
                   let isHalf = kind == 1 && parts == 1
                   from x in Draw.Real([.. shape, parts])
                   let settings = new[] { Attributes.Of("inverse", kind == 2 ? 1 : 0), Attributes.Of("onesided", isHalf ? 1 : 0) }
                   let count = cut ? Operand.Of(Tensor.Scalar(length)) : Operand.None
                   let declared = x with { Declared = true }
                   select opset == 17
                       ? new GradientCase("DFT", [declared, count], [.. settings, Attributes.Of("axis", axis)]) { Opset = 17 }
                       : new GradientCase("DFT", [declared, count, Operand.Of(Tensor.Scalar(axis), constant: true)], settings) { Opset = 20 }),
        Row("STFT", from frames in Gen.Long[1, 3]
                    from step in Gen.Long[1, 3]
                    from length in Gen.Long[1, 4]
                    from half in Gen.Bool
                    from given in Gen.Int[1, 3]
                    from x in Draw.Real(2, length + (step * (frames - 1)), 1)
                    from window in Draw.Real(length)
                    select new GradientCase(
                        "STFT",
                        [x with { Declared = true }, Operand.Of(Tensor.Scalar(step), constant: true), (given & 1) == 1 ? window : Operand.None, (given & 2) == 2 ? Operand.Of(Tensor.Scalar(length), constant: true) : Operand.None],
                        Attributes.Of("onesided", half ? 1 : 0)) { Opset = 17 }),
        Row("Col2Im", Columns(), floatOnly: true),
        Row("CenterCropPad", from shape in Draw.Rank(1, 3)
                             from sizes in Gen.Long[1, 6].Array[shape.Length]
                             from x in Draw.Real(shape)
                             from last in Gen.Bool
                             select last
                                 ? new GradientCase("CenterCropPad", [x, Operand.Of(sizes[..1])], Attributes.Of("axes", [-1])) { Opset = 18 }
                                 : new GradientCase("CenterCropPad", [x, Operand.Of(sizes)]) { Opset = 18 }),
        Row("AffineGrid", from axes in Gen.Int[2, 3]
                          from sizes in Gen.Long[1, 3].Array[axes]
                          from theta in Draw.Real(2, axes, axes + 1)
                          from corners in Gen.Bool
                          select new GradientCase("AffineGrid", [theta with { Declared = true }, Operand.Of([2, 1, .. sizes])], Attributes.Of("align_corners", corners ? 1 : 0)) { Opset = 20 }, floatOnly: true),
    ];

    private static (string Name, CaseRow Row) Loss(string name, int outputs) => Row(
        name,
        from batch in Gen.Long[1, 3]
        from classes in Gen.Long[2, 4]
        from rest in Draw.Rank(0, 2)
        from reduction in Draw.OneOf("none", "mean", "sum")
        from x in Draw.Real([batch, classes, .. rest])
        from labels in Draw.Integers(0, classes - 1, [batch, .. rest])
        from weights in Draw.Real(Values.Positive, classes)
        from weighted in Gen.Bool
        from ignored in Draw.OneOf(-1L, 0, 100)
        from ignores in Gen.Bool
        from second in Gen.Bool
        from opset in Draw.OneOf(12, 13)
        let first = labels.Fixed!.Values<long>().ToArray()

        // One label at least counts, others may be ignored.
        let given = ignores ? Operand.Of(Tensor.Of<long>([.. first.Select((l, i) => i == 0 ? 1 : i % 3 == 1 ? ignored : l)], labels.Shape)) : labels
        select new GradientCase(
            name,
            weighted ? [x, given, weights] : [x, given],
            [Attributes.Of("reduction", reduction), .. ignores ? [Attributes.Of("ignore_index", ignored)] : Array.Empty<AttributeProto>()])
        { Opset = opset, Outputs = second ? outputs : 1 },
        floatOnly: true);

    /// <summary>Points keep away from whole places, where interpolation bends.</summary>
    private static Gen<GradientCase> Sample() =>
        from axes in Gen.Int[2, 3]
        from mode in Draw.OneOf("linear", "nearest", "cubic")
        from opset in Draw.OneOf(16, 20)
        from padding in Draw.OneOf("zeros", "border", "reflection")
        from corners in Gen.Bool
        from sizes in Gen.Long[2, 4].Array[axes]
        from points in Gen.Long[1, 3].Array[axes]
        let space = opset == 16 || mode == "cubic" ? 2 : axes
        from x in Draw.Real([2, 2, .. sizes.Take(space)])
        let count = (int)(2 * points.Take(space).Aggregate((a, b) => a * b))
        from wholes in Gen.Int[-2, 4].Array[count * space]
        from shares in Gen.Double[0.2, 0.8].Array[count * space]
        let grid = wholes.Zip(shares, (w, s) => w + (s < 0.5 ? Math.Min(s, 0.4) : Math.Max(s, 0.6))).Select((place, i) => Number(place, sizes[space - 1 - (i % space)], corners)).ToArray()
        let name = opset == 16 ? mode switch { "linear" => "bilinear", "cubic" => "bicubic", _ => mode } : mode
        select new GradientCase(
            "GridSample",
            [x, new Operand([2, .. points.Take(space), space], grid, null)],
            Attributes.Of("mode", name),
            Attributes.Of("padding_mode", padding),
            Attributes.Of("align_corners", corners ? 1 : 0))
        { Opset = opset };

    private static double Number(double place, long size, bool corners) => corners ? (2 * place / (size - 1)) - 1 : (((2 * place) + 1) / size) - 1;

    private static Gen<GradientCase> Regions() =>
        from mode in Draw.OneOf("avg", "max")
        from half in Gen.Bool
        from cells in Gen.Long[1, 2].Array[2]
        from ratio in Gen.Long[0, 2]
        from x in Draw.Real(2, 2, 5, 6)
        from corners in Gen.Double[-0.4, 2.4].Array[4]
        from extents in Gen.Double[1.1, 2.9].Array[4]
        from pictures in Gen.Long[0, 1].Array[2]
        from opset in Draw.OneOf(10, 16)
        let regions = Enumerable.Range(0, 2).SelectMany(r => new[] { corners[2 * r], corners[(2 * r) + 1], corners[2 * r] + extents[2 * r], corners[(2 * r) + 1] + extents[(2 * r) + 1] }).ToArray()
        select new GradientCase(
            "RoiAlign",
            [x, new Operand([2, 4], regions, null, Checked: false), Operand.Of(Tensor.Of<long>(pictures, 2))],
            [
                Attributes.Of("mode", mode),
                Attributes.Of("output_height", cells[0]),
                Attributes.Of("output_width", cells[1]),
                Attributes.Of("sampling_ratio", ratio),
                Attributes.Of("spatial_scale", 0.9f),
                .. opset == 16 ? [Attributes.Of("coordinate_transformation_mode", half ? "half_pixel" : "output_half_pixel")] : Array.Empty<AttributeProto>(),
            ])
        { Opset = opset };

    private static Gen<GradientCase> Columns() =>
        from axes in Gen.Int[2, 2]
        from block in Gen.Long[1, 3].Array[axes]
        from strides in Gen.Long[1, 2].Array[axes]
        from dilations in Gen.Long[1, 2].Array[axes]
        from pads in Gen.Long[0, 1].Array[2 * axes]
        from surplus in Gen.Long[0, 3].Array[axes]
        let sizes = block.Select((k, i) => ((k - 1) * dilations[i]) + 1 + surplus[i]).ToArray()
        let steps = sizes.Select((s, i) => ((s + pads[i] + pads[i + axes] - (((block[i] - 1) * dilations[i]) + 1)) / strides[i]) + 1).ToArray()
        from x in Draw.Real(2, 2 * block.Aggregate((a, b) => a * b), steps.Aggregate((a, b) => a * b))
        select new GradientCase(
            "Col2Im",
            [x, Operand.Of(sizes), Operand.Of(block)],
            Attributes.Of("strides", strides),
            Attributes.Of("dilations", dilations),
            Attributes.Of("pads", pads))
        { Opset = 18 };
}
