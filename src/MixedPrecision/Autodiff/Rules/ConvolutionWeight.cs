using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>
/// The gradient of a kernel [small channels, wide/group, k…]: `wide` is read by windows, `small` has one element per window. Without groups each element of the kernel is
/// a matrix product of `small` with what that element read of `wide`. With groups, or few channels, it is one convolution with batch and channels
/// exchanged: [wide/G, G·N, …] by [small, N, …], strides and dilations exchanged too.
/// </summary>
internal static class ConvolutionWeight
{
    /// <summary>Channels from which matrix products pay.</summary>
    private const long FewChannels = 8;

    /// <summary>Elements of a kernel up to which each is a product of its own.</summary>
    private const long MostProducts = 32;

    public static string Gradient(GradientContext c, Windows windows, string wide, string small) =>
        c.Node.Int("group", 1) == 1
        && c.Type(c.Input(1)).StaticShape() is { } shape
        && shape[1] >= FewChannels
        && Tensor.ElementCount(shape.AsSpan(2)) <= MostProducts
            ? Products(c, windows, shape, wide, small)
            : Convolution(c, windows, wide, small);

    private static string Products(GradientContext c, Windows windows, long[] shape, string wide, string small)
    {
        GraphBuilder b = c.B;
        long[] kernel = shape[2..];
        long elements = Tensor.ElementCount(kernel);
        if (windows.Pads.Any(p => p > 0))
        {
            int count = windows.Count;
            wide = b.Pad(wide, b.Integers([0, 0, .. windows.Pads[..count], 0, 0, .. windows.Pads[count..]]));
        }

        // What one element of the kernel reads: from its place on, every s-th position, as many as there are windows.
        string axes = b.Integers([.. windows.SpatialAxes]), strides = b.Integers(windows.Strides);
        string extents = b.Add(b.Mul(b.Sub(b.Gather(c.ShapeOf(small == c.X ? c.X : c.Y), axes, 0), b.Integers(1)), strides), b.Integers(1));
        string Read(long element)
        {
            var start = new long[kernel.Length];
            for (int axis = kernel.Length - 1; axis >= 0; axis--)
            {
                (element, start[axis]) = (element / kernel[axis], element % kernel[axis] * windows.Dilations[axis]);
            }

            return b.Node("Slice", [wide, b.Integers(start), b.Add(extents, b.Integers(start)), axes, strides]);
        }

        bool isWhole = elements == 1 && windows.Strides.All(s => s == 1);
        string upstream = b.Reshape0(small, 0, 0, -1);
        string[] products = [.. Enumerable.Range(0, (int)elements).Select(element =>
            MatrixProducts.Product(c, upstream, b.Reshape0(isWhole ? wide : Read(element), 0, 0, -1), 3, transposeB: true))];
        string all = products.Length == 1 ? products[0] : b.Concat(2, products);
        string sum = c.Size(c.X, 0) == 1 ? all : b.ReduceSum(all, [0]);
        return b.Reshape(elements == 1 ? sum : b.Transpose(b.Reshape(sum, b.Integers(shape[0], elements, shape[1])), [0, 2, 1]), b.Integers(shape));
    }

    private static string Convolution(GradientContext c, Windows windows, string wide, string small)
    {
        GraphBuilder b = c.B;
        long group = c.Node.Int("group", 1);
        long[] exchange = [1, 0, .. windows.SpatialAxes];
        string data;
        if (group == 1)
        {
            data = b.Transpose(wide, exchange);
        }
        else
        {
            string batch = b.Size(wide, 0);
            string spatial = b.Node("Shape", [wide], Attributes.Of("start", 2));
            string parted = b.ReshapeTo(wide, batch, b.Integers(group, -1), spatial);
            string moved = b.Transpose(parted, [2, 1, 0, .. windows.SpatialAxes.Select(a => a + 1)]);
            string joined = b.Mul(batch, b.Integers(group));
            data = b.ReshapeTo(moved, b.Integers(-1), joined, spatial);
        }

        string product = b.Node(
            "Conv",
            [data, b.Transpose(small, exchange)],
            Attributes.Of("strides", windows.Dilations),
            Attributes.Of("dilations", windows.Strides),
            Attributes.Of("pads", windows.Pads),
            Attributes.Of("group", group));
        string kernel = (windows with { Pads = new long[windows.Pads.Length] }).Crop(b, product, c.ShapeOf(c.Input(1)));
        return b.Transpose(kernel, exchange);
    }
}
