using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>
/// dX of Conv: dY spread by the kernel. With stride 1 that is the convolution of dY with the kernel turned round, channels in and out exchanged. With stride s
/// position s·a + r of dX only meets the kernel's elements r, r + s, r + 2s, …: so each phase r is a convolution of its own with stride 1, all phases are channels of
/// one convolution, and their results are interleaved. ONNX Runtime's Conv is a good deal faster than its ConvTranspose, most of all with groups; that one
/// serves where sizes of the kernel are not known, and for strides together with dilations.
/// </summary>
internal static class ConvolutionInput
{
    public static string Gradient(GradientContext c, Windows windows) =>
        c.Type(c.Input(1)).StaticShape() is { } weight && Axis.Of(windows, weight[2..]) is { } axes ? Convolve(c, windows, weight, axes) : Spread(c, windows);

    private static string Spread(GradientContext c, Windows windows)
    {
        string full = c.B.Node(
            "ConvTranspose", [c.Upstream, c.Input(1)], [.. windows.Attributes(withPads: false), windows.OutputPadding(), Attributes.Of("group", c.Node.Int("group", 1))]);
        return windows.Crop(c.B, full, c.ShapeOf(c.X));
    }

    private static string Convolve(GradientContext c, Windows windows, long[] weight, Axis[] axes)
    {
        long group = c.Node.Int("group", 1), channels = weight[1] * group;
        string phases = c.B.Node(
            "Conv",
            [c.Upstream, Kernel(c.B, c.Input(1), weight, group, axes)],
            Attributes.Of("dilations", axes.Select(a => a.Dilation)),
            Attributes.Of("pads", [.. axes.Select(a => a.Before), .. axes.Select(a => a.After)]),
            Attributes.Of("group", group));
        if (axes.All(a => a.Stride == 1 && a.Skipped == 0))
        {
            return phases;
        }

        string full = axes.All(a => a.Stride == 1) ? phases : Interleave(c, phases, channels, axes);
        return (windows with { Pads = [.. axes.Select(a => a.Skipped), .. axes.Select(_ => 0L)] }).Crop(c.B, full, c.ShapeOf(c.X));
    }

    /// <summary>The kernel [O, C/G, k…] as [C·phases, O/G, taps…], taps in reverse.</summary>
    private static string Kernel(GraphBuilder b, string weight, long[] shape, long group, Axis[] axes)
    {
        long outputs = shape[0] / group, inputs = shape[1], phases = axes.Aggregate(1L, (product, a) => product * a.Phases);
        int count = axes.Length;
        string kernel = weight;
        if (axes.Any(a => a.Phases * a.Taps > a.Kernel))
        {
            kernel = b.Pad(kernel, b.Integers([.. new long[count + 4], .. axes.Select(a => (a.Phases * a.Taps) - a.Kernel)]));
        }

        if (phases > 1 || (group > 1 && outputs * inputs > 1))
        {
            string parted = b.Reshape(kernel, b.Integers([group, outputs, inputs, .. axes.SelectMany(a => new[] { a.Taps, a.Phases })]));
            string moved = b.Transpose(parted, [0, 2, .. axes.Select((_, i) => 4L + (2 * i)), 1, .. axes.Select((_, i) => 3L + (2 * i))]);
            kernel = b.Reshape(moved, b.Integers([group * inputs * phases, outputs, .. axes.Select(a => a.Taps)]));
        }
        else if (group == 1)
        {
            kernel = b.Transpose(kernel, [1, 0, .. axes.Select((_, i) => 2L + i)]);
        }

        long[] reversed = [.. axes.Index().Where(a => a.Item.Taps > 1).Select(a => a.Index + 2L)];
        long[] Each(long value) => [.. reversed.Select(_ => value)];
        return reversed.Length == 0 ? kernel : b.Node("Slice", [kernel, b.Integers(Each(-1)), b.Integers(Each(long.MinValue)), b.Integers(reversed), b.Integers(Each(-1))]);
    }

    /// <summary>
    /// [N, C·phases, a…] as [N, C, s·a…]: element a of phase r comes to s·a + r. Phases that no element of the kernel meets are zero. Axis by axis from the last on,
    /// since ONNX Runtime moves one axis quickly and several slowly.
    /// </summary>
    private static string Interleave(GradientContext c, string phases, long channels, Axis[] axes)
    {
        GraphBuilder b = c.B;
        string batch = c.Size(c.Y, 0) is long known ? b.Integers(known) : b.Size(phases, 0);
        string[] sizes = [.. axes.Select((a, i) => c.Size(c.Y, i + 2) is long size ? b.Integers(size + a.Before + a.After - ((a.Taps - 1) * a.Dilation)) : b.Size(phases, i + 2))];
        string Product(IEnumerable<string> factors) => factors.Aggregate(b.Integers(1), b.Mul);
        string result = phases;
        for (int i = axes.Length - 1; i >= 0; i--)
        {
            Axis axis = axes[i];
            if (axis.Stride == 1)
            {
                continue;
            }

            long others = axes.Take(i).Aggregate(1L, (product, a) => product * a.Phases);
            string parted = b.ReshapeTo(result, batch, b.Integers(channels * others, axis.Phases), Product(sizes[..i]), sizes[i], Product(sizes[(i + 1)..]));
            if (axis.Phases < axis.Stride)
            {
                parted = b.Pad(parted, b.Integers(0, 0, 0, 0, 0, 0, 0, 0, axis.Stride - axis.Phases, 0, 0, 0));
            }

            string moved = b.Transpose(parted, [0, 1, 3, 4, 2, 5]);
            sizes[i] = b.Mul(sizes[i], b.Integers(axis.Stride));
            result = b.ReshapeTo(moved, [batch, b.Integers(channels * others), .. sizes]);
        }

        return result;
    }

    /// <summary>One spatial axis of the convolution of dY.</summary>
    /// <param name="Kernel">Elements of the kernel.</param>
    /// <param name="Stride">s.</param>
    /// <param name="Dilation">Of the convolution of dY.</param>
    /// <param name="Phases">Phases that the kernel meets: s, or fewer when the kernel is shorter.</param>
    /// <param name="Taps">Elements of the kernel in a phase.</param>
    /// <param name="Before">Pads of the convolution of dY.</param>
    /// <param name="After">The same behind.</param>
    /// <param name="Skipped">Positions of the result that lie before dX.</param>
    private sealed record Axis(long Kernel, long Stride, long Dilation, long Phases, long Taps, long Before, long After, long Skipped)
    {
        /// <summary>Null where an axis has both stride and dilation.</summary>
        public static Axis[]? Of(Windows windows, long[] kernel)
        {
            var axes = new Axis[kernel.Length];
            for (int i = 0; i < axes.Length; i++)
            {
                long size = kernel[i], stride = windows.Strides[i], dilation = size == 1 ? 1 : windows.Dilations[i];
                long before = windows.Pads[i], after = windows.Pads[i + axes.Length];
                if (stride > 1 && dilation > 1)
                {
                    return null;
                }

                long taps = (size + stride - 1) / stride, extent = (taps - 1) * dilation;
                bool exact = stride == 1 && before <= extent && after <= extent;

                // Up to s − 1 positions behind the last window were never read: one more element of each phase may be needed for them to be there.
                long more = stride > 1 && size + stride - 1 > taps * stride ? 1 : 0;
                axes[i] = exact
                    ? new Axis(size, 1, dilation, 1, taps, extent - before, extent - after, 0)
                    : new Axis(size, stride, dilation, Math.Min(size, stride), taps, extent, extent + more, before);
            }

            return axes;
        }
    }
}
