using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>Conv and ConvTranspose in any number of spatial dimensions. Lowering has made the pads explicit.</summary>
internal static class Convolutions
{
    /// <summary>dX: see <see cref="ConvolutionInput"/>; dW: see <see cref="ConvolutionWeight"/>.</summary>
    public static IReadOnlyList<string?> Conv(GradientContext c)
    {
        Windows windows = Windows.Of(c, c.Rank(c.Input(1)) - 2);
        return c.Gradients(
            (0, c.Needs(0) ? ConvolutionInput.Gradient(c, windows) : null),
            (1, c.Needs(1) ? ConvolutionWeight.Gradient(c, windows, c.X, c.Upstream) : null),
            (2, c.Needs(2) ? Bias(c, windows) : null));
    }

    /// <summary>dX is the convolution of dY with the same attributes; dW as for Conv with the parts of X and dY exchanged.</summary>
    public static IReadOnlyList<string?> ConvTranspose(GradientContext c)
    {
        Windows windows = Windows.Of(c, c.Rank(c.Input(1)) - 2);
        return c.Gradients(
            (0, c.Needs(0) ? c.B.Node("Conv", [c.Upstream, c.Input(1)], [.. windows.Attributes(withPads: true), Attributes.Of("group", c.Node.Int("group", 1))]) : null),
            (1, c.Needs(1) ? ConvolutionWeight.Gradient(c, windows, c.Upstream, c.X) : null),
            (2, c.Needs(2) ? Bias(c, windows) : null));
    }

    private static string Bias(GradientContext c, Windows windows) => c.B.ReduceSum(c.Upstream, [0, .. windows.SpatialAxes]);
}
