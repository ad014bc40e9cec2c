using CsCheck;
using MixedPrecision.Onnx;
using static MixedPrecision.Tests.Autodiff.Cases.CaseTable;

namespace MixedPrecision.Tests.Autodiff.Cases;

/// <summary>Resize and what it was before; there is no kernel for double.</summary>
internal static class ResizeCases
{
    public static readonly IReadOnlyList<(string Name, CaseRow Row)> Rows =
    [
        Row("Resize", Resize(), floatOnly: true),
        Row("Resize of version 11", from mode in Draw.OneOf("nearest", "linear", "cubic")
                                    from transformation in Draw.OneOf("tf_half_pixel_for_nn", "pytorch_half_pixel", "half_pixel")
                                    from input in Gen.Long[2, 5].Array[2]
                                    from output in Gen.Long[1, 7].Array[2]
                                    from x in Draw.Real(1, 2, input[0], input[1])
                                    from constant in Gen.Bool
                                    let nothing = Operand.Of(Tensor.Of<float>([], 0), constant) with { Declared = true }
                                    select new GradientCase(
                                        "Resize",
                                        [x, nothing, nothing, Operand.Of([1, 2, .. output]) with { Constant = constant, Declared = true }],
                                        Attributes.Of("mode", mode),
                                        Attributes.Of("coordinate_transformation_mode", transformation)) { Opset = 11 }, "Resize", floatOnly: true),
        Row("Resize by one factor", OneFactor(), "Resize", floatOnly: true),
        Row("Resize of old versions", OldResize(), "Resize", floatOnly: true),
        Row("Upsample", OldResize("Upsample", 9), "Resize", floatOnly: true),
        Row("Resize by crop", Crop(), "Resize", floatOnly: true),
        Row("Resize by the region", Crop(constant: false), "Resize", floatOnly: true),
        Row("Resize by the scales", Scales(), "Resize", floatOnly: true),
    ];

    private static Gen<GradientCase> Resize() =>
        from mode in Draw.OneOf("nearest", "linear", "cubic")
        from transformation in Draw.OneOf("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
        from nearest in Draw.OneOf("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        from exclude in Gen.Bool
        from antialias in Gen.Int[0, 3]
        from input in Gen.Long[2, 5].Array[2]
        from output in Gen.Long[1, 7].Array[2]
        from bySizes in Gen.Bool
        from axes in Gen.Bool
        from constant in Gen.Bool
        from x in Draw.Real(2, 2, input[0], input[1])
        let sizes = Operand.Of(axes ? output : [2, 2, .. output])
        let factors = output.Zip(input, (o, i) => (float)o / i).ToArray()
        let scales = Operand.Of(Tensor.Of<float>(axes ? factors : [1, 1, .. factors], axes ? 2 : 4), constant || axes)
        select new GradientCase("Resize", bySizes ? [x, Operand.None, Operand.None, sizes] : [x, Operand.None, scales], [
            Attributes.Of("mode", mode),
            Attributes.Of("coordinate_transformation_mode", transformation),
            Attributes.Of("nearest_mode", nearest),
            .. mode == "cubic" && exclude ? [Attributes.Of("exclude_outside", 1)] : Array.Empty<AttributeProto>(),
            .. mode != "nearest" && antialias == 0 ? [Attributes.Of("antialias", 1)] : Array.Empty<AttributeProto>(),
            .. axes ? [Attributes.Of("axes", [2, 3])] : Array.Empty<AttributeProto>()]);

    private static Gen<GradientCase> OneFactor() =>
        from policy in Draw.OneOf("not_larger", "not_smaller")
        from mode in Draw.OneOf("nearest", "linear", "cubic")
        from input in Draw.OneOf(2L, 4).Array[2]
        from factors in Gen.Long[1, 4].Array[2]
        from x in Draw.Real(1, 2, input[0], input[1])
        let output = input.Zip(factors, (i, f) => i * f / 2).ToArray()
        select new GradientCase(
            "Resize",
            [x with { Declared = true }, Operand.None, Operand.None, Operand.Of(output)],
            Attributes.Of("mode", mode),
            Attributes.Of("axes", [2, 3]),
            Attributes.Of("keep_aspect_ratio_policy", policy))
        { Opset = 18 };

    private static Gen<GradientCase> OldResize(string name = "Resize", int opset = 10) =>
        from mode in Draw.OneOf("nearest", "linear")
        from input in Gen.Long[1, 4].Array[2]
        from factors in Draw.OneOf(1f, 1.5f, 2, 3).Array[2]
        from x in Draw.Real(1, 2, input[0], input[1])
        select new GradientCase(name, [x, Operand.Of(Tensor.Of<float>([1, 1, .. factors], 4), constant: true)], Attributes.Of("mode", mode)) { Opset = opset };

    /// <summary>Factors are such that sizes stay what they are when they are moved a little, and no place is an element's, where an interpolation bends.</summary>
    private static Gen<GradientCase> Scales() =>
        from mode in Draw.OneOf("linear", "cubic", "nearest")
        from transformation in Draw.OneOf("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
        from exclude in Gen.Bool
        from factors in Draw.Real(r => new[] { 0.68, 1.1, 1.3, 1.65 }[r.Next(4)], 2)
        from x in Draw.Real(4, 5)
        select new GradientCase("Resize", [x, Operand.None, factors], [
            Attributes.Of("mode", mode),
            Attributes.Of("coordinate_transformation_mode", transformation),
            .. mode == "cubic" && exclude ? [Attributes.Of("exclude_outside", 1)] : Array.Empty<AttributeProto>(),
            Attributes.Of("axes", [0, 1])])
        { FloatStep = 2e-3 };

    private static Gen<GradientCase> Crop(bool constant = true) =>
        from mode in Draw.OneOf("linear", "cubic")
        from region in Gen.Float[constant ? 0 : 0.1f, 0.4f].Array[2]
        from extent in Gen.Float[constant ? 0.5f : 0.3f, constant ? 1 : 0.5f].Array[2]
        from output in Gen.Long[2, 5].Array[2]
        from x in Draw.Real(1, 2, 4, 5)
        let ends = region.Zip(extent, (r, e) => r + e)
        select new GradientCase(
            "Resize",
            constant
                ? [x, Operand.Of(Tensor.Of<float>([0, 0, .. region, 1, 1, .. ends], 8), constant: true), Operand.None, Operand.Of([1, 2, .. output])]
                : [x, new Operand([8], [0, 0, .. region, 1, 1, .. ends], null), Operand.None, Operand.Of([1, 2, .. output])],
            Attributes.Of("mode", mode),
            Attributes.Of("coordinate_transformation_mode", "tf_crop_and_resize"),
            Attributes.Of("extrapolation_value", 7f))
        { FloatStep = constant ? 0.02 : 2e-3 };
}
