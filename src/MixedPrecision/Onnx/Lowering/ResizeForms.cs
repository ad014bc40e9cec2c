namespace MixedPrecision.Onnx.Lowering;

/// <summary>Upsample and old forms of Resize.</summary>
internal static class ResizeForms
{
    public static void Upsample(LoweringContext c)
    {
        string scales = c.HasInput(1)
            ? c.Input(1)
            : c.B.Constant(Tensor.Of<float>(c.Node.Attribute("scales")!.Floats.ToArray(), c.Node.Attribute("scales")!.Floats.Count));
        c.Node.OpType = "Resize";
        Asymmetric(c, scales);
    }

    public static void Resize(LoweringContext c)
    {
        if (c.Version < 11)
        {
            Asymmetric(c, c.Input(1));
            return;
        }

        // Inputs that do not count were empty tensors in 11; later they are to be left out.
        bool IsEmpty(int input) => !c.HasInput(input) || c.Type(c.Input(input)).StaticShape() is [0];
        string[] inputs = [c.X, IsEmpty(1) ? "" : c.Input(1), IsEmpty(2) ? "" : c.Input(2), IsEmpty(3) ? "" : c.Input(3)];
        c.Change(inputs[3].Length > 0 ? inputs : inputs[..3]);
    }

    /// <summary>
    /// With a policy all axes are scaled alike, by the least or greatest of the factors that sizes ask for. Kernels take that factor for places, but round sizes to the nearest,
    /// where scales alone would round them down: written with scales where both give the same.
    /// </summary>
    public static void WithoutPolicy(LoweringContext c)
    {
        string policy = c.Node.Text("keep_aspect_ratio_policy", "stretch");
        if (policy == "stretch" || !c.HasInput(3) || c.Constants.Integers(c.Input(3)) is not { } sizes || c.Type(c.X).StaticShape() is not { } shape)
        {
            c.Keep();
            return;
        }

        long[] axes = [.. (c.Node.Ints("axes") ?? [.. Enumerable.Range(0, shape.Length).Select(a => (long)a)]).Select(a => a < 0 ? a + shape.Length : a)];
        float[] factors = [.. sizes.Zip(axes, (size, axis) => (float)size / shape[axis])];
        float factor = policy == "not_larger" ? factors.Min() : factors.Max();
        if (axes.Any(axis => MathF.Floor(factor * shape[axis]) != MathF.Round(factor * shape[axis], MidpointRounding.AwayFromZero)))
        {
            c.Keep();
            return;
        }

        string scales = c.B.Constant(Tensor.Of<float>([.. axes.Select(_ => factor)], axes.Length));
        c.Change([c.X, c.InputOrNone(1), scales], "keep_aspect_ratio_policy");
    }

    /// <summary>
    /// Coordinates were divided by the scale; nearest rounded down, or up along axes that shrink. Where scales are not known, or are of both kinds, axes that shrink go first,
    /// then those that grow.
    /// </summary>
    private static void Asymmetric(LoweringContext c, string scales)
    {
        string mode = c.Node.Text("mode", "nearest");
        c.Set(Attributes.Of("mode", mode == "bilinear" ? "linear" : mode));
        c.Set(Attributes.Of("coordinate_transformation_mode", "asymmetric"));
        double[]? known = c.Constants.Reals(scales);
        bool shrinks = known?.Any(s => s < 1) == true;
        c.Set(Attributes.Of("nearest_mode", shrinks ? "ceil" : "floor"));
        c.Remove("scales");
        if (mode != "nearest" || known?.All(s => s >= 1) == true || known?.All(s => s <= 1) == true || !c.HasInput(1))
        {
            c.Change([c.X, "", scales]);
            return;
        }

        string one = c.B.Scalar(1);
        string shrunk = c.B.Node("Resize", [c.X, "", c.B.Min(scales, one)], [.. c.Node.Attribute.Where(a => a.Name != "nearest_mode"), Attributes.Of("nearest_mode", "ceil")]);
        c.Set(Attributes.Of("nearest_mode", "floor"));
        c.Change([shrunk, "", c.B.Max(scales, one)]);
    }
}
