using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>The windows of a convolution or pool, one number per spatial axis; pads are all befores, then all afters.</summary>
internal sealed record Windows(long[] Kernel, long[] Strides, long[] Dilations, long[] Pads)
{
    public int Count => Strides.Length;

    public IEnumerable<long> SpatialAxes => Enumerable.Range(2, Count).Select(a => (long)a);

    /// <summary>Reads a node's attributes; the kernel is only known for pools.</summary>
    public static Windows Of(GradientContext c, int spatial)
    {
        long[] ones = [.. Enumerable.Repeat(1L, spatial)];
        return new Windows(
            c.Node.Ints("kernel_shape") ?? ones,
            c.Node.Ints("strides") ?? ones,
            c.Node.Ints("dilations") ?? ones,
            c.Node.Ints("pads") ?? new long[2 * spatial]);
    }

    public AttributeProto[] Attributes(bool withPads) =>
    [
        Onnx.Attributes.Of("strides", Strides),
        Onnx.Attributes.Of("dilations", Dilations),
        .. withPads ? [Onnx.Attributes.Of("pads", Pads)] : Array.Empty<AttributeProto>(),
    ];

    /// <summary>What makes a transposed convolution reach every position that a window could have read.</summary>
    public AttributeProto OutputPadding() => Onnx.Attributes.Of("output_padding", Strides.Select(s => s - 1));

    /// <summary>Cuts a spread gradient to the input: from the pads on, as many positions as its shape says.</summary>
    public string Crop(GraphBuilder b, string full, string shape)
    {
        string axes = b.Integers([.. SpatialAxes]);
        string starts = b.Integers(Pads[..Count]);
        string sizes = b.Gather(shape, axes, 0);
        string ends = Pads[..Count].All(p => p == 0) ? sizes : b.Add(sizes, starts);
        return b.Node("Slice", [full, starts, ends, axes]);
    }

    /// <summary>Adds each window's value to all positions the window reads, channel by channel; of the shape given.</summary>
    public string AddToPositions(GraphBuilder b, string perWindow, string shape)
    {
        string planes = b.ReshapeTo(perWindow, b.Integers(-1, 1), b.Node("Shape", [perWindow], Onnx.Attributes.Of("start", 2)));
        string ones = b.Constant(Tensor.Of<float>(Enumerable.Repeat(1f, (int)Tensor.ElementCount(Kernel)).ToArray(), [1, 1, .. Kernel]), "ones");
        string full = b.Node("ConvTranspose", [planes, ones], [.. Attributes(withPads: false), OutputPadding()]);
        return b.Reshape(Crop(b, full, shape), shape);
    }
}
