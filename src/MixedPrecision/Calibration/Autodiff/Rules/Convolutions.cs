using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration.Autodiff.Rules;

/// <summary>Conv and ConvTranspose in any number of spatial dimensions. Lowering has made the pads explicit.</summary>
internal static class Convolutions
{
    /// <summary>dX spreads dY by the transposed convolution and cuts the pads off; dW is a convolution of X by dY with strides and dilations exchanged.</summary>
    public static IReadOnlyList<string?> Conv(GradientContext c)
    {
        Windows windows = Windows.Of(c, c.Rank(c.Input(1)) - 2);
        return c.Gradients(
            (0, c.Needs(0) ? windows.Crop(c.B, Spread(c, windows), c.ShapeOf(c.X)) : null),
            (1, c.Needs(1) ? Weight(c, windows, c.X, c.Upstream) : null),
            (2, c.Needs(2) ? Bias(c, windows) : null));
    }

    /// <summary>dX is the convolution of dY with the same attributes; dW as for Conv with the parts of X and dY exchanged.</summary>
    public static IReadOnlyList<string?> ConvTranspose(GradientContext c)
    {
        Windows windows = Windows.Of(c, c.Rank(c.Input(1)) - 2);
        return c.Gradients(
            (0, c.Needs(0) ? c.B.Node("Conv", [c.Upstream, c.Input(1)], [.. windows.Attributes(withPads: true), Group(c)]) : null),
            (1, c.Needs(1) ? Weight(c, windows, c.Upstream, c.X) : null),
            (2, c.Needs(2) ? Bias(c, windows) : null));
    }

    private static string Spread(GradientContext c, Windows windows) =>
        c.B.Node("ConvTranspose", [c.Upstream, c.Input(1)], [.. windows.Attributes(withPads: false), windows.OutputPadding(), Group(c)]);

    /// <summary>
    /// The gradient of a kernel [small channels, wide/group, k…]: <paramref name="wide"/> is read by windows, <paramref name="small"/> has one element per window.
    /// With both batch and channels exchanged it is a convolution: [wide/G, G·N, …] by [small, N, …].
    /// </summary>
    private static string Weight(GradientContext c, Windows windows, string wide, string small)
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

    private static string Bias(GradientContext c, Windows windows) => c.B.ReduceSum(c.Upstream, [0, .. windows.SpatialAxes]);

    private static AttributeProto Group(GradientContext c) => Attributes.Of("group", c.Node.Int("group", 1));
}
