using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

/// <summary>Convolutions and pools; none has a kernel for double, save MaxPool.</summary>
internal static class WindowCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Row("Conv", Convolution(), floatOnly: true),
        Row("Conv of many channels", Wide(), "Conv", floatOnly: true),
        Row("Conv with pads larger than the kernel", from stride in Gen.Long[1, 3]
                                                     from x in Draw.Real(1, 2, 5)
                                                     from weight in Draw.Real(2, 2, 2)
                                                     select new GradientCase("Conv", [x, weight], Attributes.Of("strides", [stride]), Attributes.Of("pads", [3, 4])), "Conv", floatOnly: true),
        Row("ConvTranspose", Transposed(), floatOnly: true),
        Row("MaxPool", Pool("MaxPool", Draw.Distinct)),
        Row("AveragePool", Pool("AveragePool", Draw.Real), floatOnly: true),
        Row("LpPool", Pool("LpPool", shape => Draw.Real(Values.NotSmall, shape)), floatOnly: true),
        Row("GlobalAveragePool", Global("GlobalAveragePool", Draw.Real), floatOnly: true),
        Row("GlobalMaxPool", Global("GlobalMaxPool", Draw.Distinct), floatOnly: true),
        Row("GlobalLpPool", Global("GlobalLpPool", shape => Draw.Real(Values.NotSmall, shape)), floatOnly: true),
        Row("MaxUnpool", Unpool(), floatOnly: true),
        Row("AveragePool with dilations", Dilated("AveragePool", 19), "AveragePool", floatOnly: true),
        Row("LpPool with dilations", Dilated("LpPool", 18), "LpPool", floatOnly: true),
        Row("MaxPool with places", from x in Draw.Distinct(1, 2, 4, 4)
                                   from order in Gen.Long[0, 1]
                                   from ceil in Gen.Long[0, 1]
                                   from dilation in Gen.Long[1, 2]
                                   from opset in Draw.OneOf(10, 12)
                                   select new GradientCase(
                                       "MaxPool",
                                       [x],
                                       Attributes.Of("kernel_shape", [2, 2]),
                                       Attributes.Of("dilations", [dilation, dilation]),
                                       Attributes.Of("storage_order", order),
                                       Attributes.Of("ceil_mode", ceil)) { Outputs = 2, Opset = opset }, "MaxPool", floatOnly: true),
        Row("MaxUnpool to a shape", from x in Draw.Real(1, 1, 2, 2)
                                    from places in Gen.Shuffle(Enumerable.Range(0, 16).Select(i => (long)i).ToArray())
                                    from opset in Draw.OneOf(9, 11)
                                    select new GradientCase(
                                        "MaxUnpool",
                                        [x, Operand.Of(Tensor.Of<long>(places.AsSpan(0, 4), 1, 1, 2, 2)), Operand.Of(1, 1, 5, 5)],
                                        Attributes.Of("kernel_shape", [2, 2]),
                                        Attributes.Of("strides", [2, 2])) { Opset = opset }, "MaxUnpool", floatOnly: true),
    ];

    private static readonly Gen<string> AutoPad = Gen.Int[0, 5].Select(i => i switch { 0 => "SAME_UPPER", 1 => "SAME_LOWER", 2 => "VALID", _ => "NOTSET" });

    private static Gen<GradientCase> Convolution() =>
        from spatial in Gen.Int[1, 3]
        from groups in Draw.OneOf(1L, 1, 2, 3)
        from channels in Gen.Long[1, 2].Array[2]
        from batch in Gen.Long[1, 2]
        from w in Window(spatial)
        from x in Draw.Real([batch, groups * channels[0], .. w.Sizes])
        from weight in Draw.Real([groups * channels[1], channels[0], .. w.Kernel])
        from bias in Draw.Real(groups * channels[1])
        from biased in Gen.Bool
        select new GradientCase("Conv", biased ? [x, weight, bias] : [x, weight], [Attributes.Of("group", groups), .. w.Attributes(true)]);

    /// <summary>Channels as ONNX Runtime's blocked convolutions take them: all, by groups, and one by one.</summary>
    private static Gen<GradientCase> Wide() =>
        from groups in Draw.OneOf(1L, 2, 16)
        from kernel in Gen.Long[1, 3]
        from stride in Gen.Long[1, 2]
        from pad in Gen.Long[0, kernel - 1]
        from size in Gen.Long[4, 5]
        from x in Draw.Real(1, 16, size, size)
        from weight in Draw.Real(16, 16 / groups, kernel, kernel)
        select new GradientCase(
            "Conv", [x, weight], Attributes.Of("group", groups), Attributes.Of("strides", [stride, stride]), Attributes.Of("pads", [pad, pad, pad, pad]));

    private static Gen<GradientCase> Transposed() =>
        from spatial in Gen.Int[1, 2]
        from groups in Draw.OneOf(1L, 1, 2)
        from channels in Gen.Long[1, 2].Array[2]
        from w in Window(spatial, small: true)
        from extra in Gen.Long[0, 2].Array[spatial]
        from shaped in Gen.Int[0, 3]
        let padding = extra.Select((e, i) => Math.Min(e, w.Strides[i] - 1)).ToArray()
        let full = w.Sizes.Select((s, i) => (w.Strides[i] * (s - 1)) + padding[i] + ((w.Kernel[i] - 1) * w.Dilations[i]) + 1).ToArray()
        from x in Draw.Real([2, groups * channels[0], .. w.Sizes])
        from weight in Draw.Real([groups * channels[0], channels[1], .. w.Kernel])
        from bias in Draw.Real(groups * channels[1])
        select new GradientCase("ConvTranspose", [x, weight, bias], [
            Attributes.Of("group", groups),
            Attributes.Of("output_padding", padding),
            .. shaped == 0
                ? [Attributes.Of("output_shape", full.Select(f => Math.Max(f - 1, 1))), .. w.Attributes(true).Where(a => a.Name is not ("pads" or "auto_pad"))]
                : w.Attributes(true).Where(a => a.Name != "auto_pad" || shaped == 1)]);

    private static Gen<GradientCase> Pool(string name, Func<long[], Gen<Operand>> draw) =>
        from spatial in Gen.Int[1, 3]
        from drawn in Window(spatial)

            // MaxPool refuses the negative pads that SAME asks for where a stride is larger than the kernel.
        let w = name == "MaxPool" && drawn.Auto != "NOTSET" ? drawn with { Strides = [.. drawn.Strides.Zip(drawn.Kernel, Math.Min)] } : drawn
        from ceil in Gen.Bool
        from include in Gen.Bool
        from power in Gen.Long[1, 3]
        from x in draw([2, 2, .. w.Sizes])
        select new GradientCase(name, [x], [
            .. w.Attributes(dilated: name == "MaxPool"),
            .. w.Auto == "NOTSET" && name != "LpPool" ? [Attributes.Of("ceil_mode", ceil ? 1 : 0)] : Array.Empty<AttributeProto>(),
            .. name == "AveragePool" ? [Attributes.Of("count_include_pad", include ? 1 : 0)] : Array.Empty<AttributeProto>(),
            .. name == "LpPool" ? [Attributes.Of("p", power)] : Array.Empty<AttributeProto>()]);

    private static Gen<GradientCase> Global(string name, Func<long[], Gen<Operand>> draw) =>
        from shape in Draw.Rank(3, 5)
        from x in draw(shape)
        select new GradientCase(name, [x]);

    private static Gen<GradientCase> Unpool() =>
        from size in Gen.Long[1, 3]
        from x in Draw.Real(1, 1, size, size)
        from places in Gen.Shuffle(Enumerable.Range(0, (int)(4 * size * size)).Select(i => (long)i).ToArray())
        select new GradientCase(
            "MaxUnpool",
            [x, Operand.Of(Tensor.Of<long>(places.AsSpan(0, (int)(size * size)), 1, 1, size, size))],
            Attributes.Of("kernel_shape", [2, 2]),
            Attributes.Of("strides", [2, 2]));

    private static Gen<GradientCase> Dilated(string name, int opset) =>
        from kernel in Gen.Long[1, 3].Array[2]
        from strides in Gen.Long[1, 2].Array[2]
        from dilations in Gen.Long[1, 2].Array[2]
        from include in Gen.Long[0, 1]
        from power in Gen.Long[1, 3]
        from x in Draw.Real(Values.NotSmall, 1, 2, 6, 6)
        select new GradientCase(
            name,
            [x],
            [
                Attributes.Of("kernel_shape", kernel),
                Attributes.Of("strides", strides),
                Attributes.Of("dilations", dilations),
                Attributes.Of("pads", [kernel[0] - 1, 0, 0, kernel[1] - 1]),
                name == "LpPool" ? Attributes.Of("p", power) : Attributes.Of("count_include_pad", include),
            ])
        { Opset = opset };

    private static Gen<WindowShape> Window(int spatial, bool small = false) =>
        from kernel in Gen.Long[1, 3].Array[spatial]
        from strides in Gen.Long[1, 3].Array[spatial]
        from auto in AutoPad

            // The kernels refuse dilation together with SAME.
        from dilations in Gen.Long[1, auto.StartsWith("SAME", StringComparison.Ordinal) ? 1 : 2].Array[spatial]
        from pads in Gen.Long[0, 2].Array[2 * spatial]
        from surplus in Gen.Long[0, spatial == 3 ? 1 : 3].Array[spatial]
        select new WindowShape(
            kernel,
            strides,
            dilations,
            [.. pads.Select((p, i) => Math.Min(p, kernel[i % spatial] - 1))],
            [.. surplus.Select((s, i) => (small ? 1 : ((kernel[i] - 1) * dilations[i]) + 1) + s)],
            auto);

    private sealed record WindowShape(long[] Kernel, long[] Strides, long[] Dilations, long[] Pads, long[] Sizes, string Auto)
    {
        public IEnumerable<AttributeProto> Attributes(bool dilated)
        {
            yield return MixedPrecision.Onnx.Attributes.Of("kernel_shape", Kernel);
            yield return MixedPrecision.Onnx.Attributes.Of("strides", Strides);
            if (dilated)
            {
                yield return MixedPrecision.Onnx.Attributes.Of("dilations", Dilations);
            }

            yield return Auto == "NOTSET" ? MixedPrecision.Onnx.Attributes.Of("pads", Pads) : MixedPrecision.Onnx.Attributes.Of("auto_pad", Auto);
        }
    }
}
