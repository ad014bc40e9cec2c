namespace MixedPrecision.Onnx.Lowering;

/// <summary>
/// Convolutions and pools whose pads follow from the input's size (`auto_pad`, `output_shape`): pads are written down where sizes are known, else worked
/// out at run time and applied by a node of their own.
/// </summary>
internal static class ExplicitPads
{
    public static void Convolution(LoweringContext c) => Rewrite(c, Kernel(c, weight: 1), isPool: false, pads => c.Change([c.B.Pad(c.X, pads), .. c.Node.Input.Skip(1)]));

    public static void LpPool(LoweringContext c) => Rewrite(c, c.Node.Ints("kernel_shape"), isPool: true, pads => c.Change([c.B.Pad(c.X, pads)]));

    /// <summary>Padded with what never is a maximum. Indices would count the padding, so a node with indices needs known sizes.</summary>
    public static void MaxPool(LoweringContext c) => Rewrite(c, c.Node.Ints("kernel_shape"), isPool: true, pads =>
        c.Change([c.B.Node("Pad", [c.X, pads, c.Scalar(c.ElementType == ElementType.Double ? double.MinValue : float.MinValue)])]));

    /// <summary>Padding does not count: the sum over a window divided by the number of positions inside.</summary>
    public static void AveragePool(LoweringContext c) => Rewrite(c, c.Node.Ints("kernel_shape"), isPool: true, pads =>
    {
        if (c.Node.Int("count_include_pad", 0) == 1)
        {
            c.Change([c.B.Pad(c.X, pads)]);
            return;
        }

        string ones = c.B.Filled(c.B.Shape(c.X), 1, c.ElementType);
        string Average(string x) => c.B.Node("AveragePool", [c.B.Pad(x, pads)], [.. c.Node.Attribute]);
        c.ReturnNode("Div", [Average(c.X), Average(ones)]);
    });

    /// <summary>
    /// The full result, then cropped: pads of a transposed convolution cut. With output_shape or auto_pad SAME the cut is what makes the output that large;
    /// SAME_UPPER cuts the odd one behind, all else before.
    /// </summary>
    public static void ConvolutionTransposed(LoweringContext c)
    {
        long[]? shape = c.Node.Ints("output_shape");
        string mode = c.Node.Text("auto_pad", "NOTSET");
        if (shape is null && !mode.StartsWith("SAME", StringComparison.Ordinal))
        {
            c.Remove("auto_pad");
            c.Keep();
            return;
        }

        GraphBuilder b = c.B;
        string[] output = [.. c.Node.Output];
        int spatial = shape?.Length ?? Kernel(c, weight: 1)?.Length ?? c.Rank(c.X)!.Value - 2;
        string strides = b.Integers(c.Node.Ints("strides") ?? [.. Enumerable.Repeat(1L, spatial)]);
        string wanted = shape is not null ? b.Integers([.. shape.TakeLast(spatial)]) : b.Mul(b.Node("Shape", [c.X], Attributes.Of("start", 2)), strides);
        c.Remove("auto_pad", "output_shape", "pads");
        string full = b.NodeTo([b.Fresh("full")], "ConvTranspose", "", [.. c.Node.Input], [.. c.Node.Attribute])[0];
        string total = b.Sub(b.Node("Shape", [full], Attributes.Of("start", 2)), wanted);
        string half = b.Div(b.Max(total, b.Integers(0)), b.Integers(2));
        string before = mode == "SAME_UPPER" ? half : b.Sub(b.Max(total, b.Integers(0)), half);
        string pads = b.Concat(0, b.Neg(before), b.Neg(b.Sub(total, before)));
        b.NodeTo(output, "Pad", "", [full, b.PadsOfAll(pads, SpatialAxes(spatial), spatial + 2)]);
    }

    /// <summary>A kernel smaller than the stride asks for negative pads: convolutions take none then, pools crop.</summary>
    private static void Rewrite(LoweringContext c, long[]? kernel, bool isPool, Action<string> padded)
    {
        string mode = c.Node.Text("auto_pad", "NOTSET");
        if (mode == "NOTSET" || kernel is null)
        {
            c.Keep();
            return;
        }

        c.Remove("auto_pad");
        if (mode == "VALID")
        {
            c.Remove("pads");
            c.Keep();
            return;
        }

        long[] ones = [.. Enumerable.Repeat(1L, kernel.Length)];
        long[] strides = c.Node.Ints("strides") ?? ones;
        long[] extents = [.. kernel.Zip(c.Node.Ints("dilations") ?? ones, (k, d) => ((k - 1) * d) + 1)];
        c.Remove("pads");
        bool upper = mode == "SAME_UPPER";
        bool crops = isPool && extents.Zip(strides).Any(p => p.First < p.Second);
        if (!crops && c.Type(c.X).Shape?.Skip(2).Select(d => d.Size).ToArray() is { } sizes && sizes.All(s => s is not null))
        {
            long[] totals = [.. sizes.Select((s, i) => Math.Max(((((s!.Value + strides[i] - 1) / strides[i]) - 1) * strides[i]) + extents[i] - s.Value, 0))];
            long[] befores = [.. totals.Select(t => (upper ? t : t + 1) / 2)];
            c.Set(Attributes.Of("pads", befores.Concat(totals.Zip(befores, (t, first) => t - first))));
            c.Keep();
        }
        else
        {
            padded(PadsAtRunTime(c, strides, extents, upper, crops));
        }
    }

    private static string PadsAtRunTime(LoweringContext c, long[] strides, long[] extents, bool upper, bool crops)
    {
        GraphBuilder b = c.B;
        string sizes = b.Node("Shape", [c.X], Attributes.Of("start", 2));
        string one = b.Integers(1);
        string step = b.Integers(strides);
        string total = b.Sub(b.Add(b.Mul(b.Div(b.Sub(sizes, one), step), step), b.Integers(extents)), sizes);
        total = crops ? total : b.Max(total, b.Integers(0));
        string before = b.Div(upper ? total : b.Add(total, one), b.Integers(2));
        return b.PadsOfAll(b.Concat(0, before, b.Sub(total, before)), SpatialAxes(strides.Length), strides.Length + 2);
    }

    private static long[]? Kernel(LoweringContext c, int weight) => c.Node.Ints("kernel_shape")
        ?? (c.Type(c.Input(weight)).StaticShape() is { } shape ? shape[2..] : null);

    private static long[] SpatialAxes(int spatial) => [.. Enumerable.Range(2, spatial).Select(a => (long)a)];
}
