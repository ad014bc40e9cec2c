using MixedPrecision.Onnx;

namespace MixedPrecision.Autodiff.Rules;

/// <summary>Pools over windows and over whole planes.</summary>
internal static class Pooling
{
    /// <summary>The gradient goes where the maximum was; the kernel says where.</summary>
    public static IReadOnlyList<string?> MaxPool(GradientContext c)
    {
        GraphBuilder b = c.B;
        string[] outputs = [b.Fresh("maxima"), b.Fresh("places")];
        b.NodeTo(outputs, "MaxPool", "", [c.X], [.. c.Node.Attribute.Where(a => a.Name != "storage_order")]);
        string zeros = b.Zeros(b.Unsqueeze(b.ElementCount(c.X), 0), c.ElementType);
        return [b.Reshape(b.ScatterElementsAdd(zeros, b.Vector(outputs[1]), b.Vector(c.Upstream), 0), c.ShapeOf(c.X))];
    }

    /// <summary>
    /// Each window's gradient, divided by what the kernel divides by, goes to all its positions. The divisor is found by pooling ones: the average is
    /// (positions inside)/divisor, and the positions inside are counted on ones padded by hand.
    /// </summary>
    public static IReadOnlyList<string?> AveragePool(GradientContext c)
    {
        GraphBuilder b = c.B;
        Windows windows = Windows.Of(c, c.Node.Ints("kernel_shape")!.Length);
        string spatial = b.Node("Shape", [c.X], Attributes.Of("start", 2));
        string ones = b.Filled(b.Concat(0, b.Integers(1, 1), spatial), 1, c.ElementType);
        string average = b.Node("AveragePool", [ones], [.. c.Node.Attribute]);

        // Enough behind that each window which ceil_mode adds lies within. Written with axes: ONNX Runtime's optimizer would merge other pads into the pool, and then refuse
        // those which are not smaller than the kernel.
        long[] after = [.. windows.Pads[windows.Count..].Zip(windows.Strides, (p, s) => p + s - 1)];
        string padded = b.Pad(ones, b.Integers([.. windows.Pads[..windows.Count], .. after]), b.Integers([.. windows.SpatialAxes]));
        string counted = b.Node("AveragePool", [padded], [.. windows.Attributes(withPads: false), Attributes.Of("kernel_shape", windows.Kernel)]);
        string inside = (windows with { Pads = new long[2 * windows.Count] }).Crop(b, counted, b.Shape(c.Y));
        string share = b.Div(average, b.Mul(inside, c.Scalar(Tensor.ElementCount(windows.Kernel))));
        return [windows.AddToPositions(b, b.Mul(c.Upstream, share), c.ShapeOf(c.X))];
    }

    /// <summary>y = (Σ|x|ᵖ)^(1/p): dx = dy·y^(1−p)·|x|^(p−1)·sign x, zero where y is.</summary>
    public static IReadOnlyList<string?> LpPool(GradientContext c)
    {
        Windows windows = Windows.Of(c, c.Node.Ints("kernel_shape")!.Length);
        return [PowerMean(c, perOutput => windows.AddToPositions(c.B, perOutput, c.ShapeOf(c.X)))];
    }

    public static IReadOnlyList<string?> GlobalAveragePool(GradientContext c)
    {
        string outputs = c.B.Max(c.B.ElementCount(c.Y), c.B.Scalar(1, Onnx.ElementType.Int64));
        string count = c.B.Cast(c.B.Div(c.B.ElementCount(c.X), outputs), c.ElementType);
        return [c.B.Expand(c.B.Div(c.Upstream, count), c.ShapeOf(c.X))];
    }

    /// <summary>Positions that attain the maximum share the gradient equally.</summary>
    public static IReadOnlyList<string?> GlobalMaxPool(GradientContext c)
    {
        GraphBuilder b = c.B;
        string mask = c.Mask(b.Equal(c.X, c.OutputAgain()));
        string count = b.Reshape(b.ReduceSum(b.Reshape0(mask, 0, 0, -1), [-1]), b.Shape(c.Y));
        return [b.Mul(b.Div(c.Upstream, count), mask)];
    }

    public static IReadOnlyList<string?> GlobalLpPool(GradientContext c) => [PowerMean(c, perOutput => perOutput)];

    private static string PowerMean(GradientContext c, Func<string, string> toPositions)
    {
        GraphBuilder b = c.B;
        long p = c.Node.Int("p", 2);
        string zero = c.Scalar(0);
        string safe = b.Where(b.Equal(c.Y, zero), c.Scalar(1), c.Y);
        string perOutput = p == 1 ? c.Upstream : b.Div(c.Upstream, b.Pow(safe, c.Scalar(p - 1)));
        string slope = p == 1 ? b.Sign(c.X) : p == 2 ? c.X : b.Mul(b.Sign(c.X), b.Pow(b.Abs(c.X), c.Scalar(p - 1)));
        return b.Mul(toPositions(perOutput), slope);
    }

    /// <summary>Each maximum's gradient stands where it was put; without output_shape the places are flat offsets into the output.</summary>
    public static IReadOnlyList<string?> MaxUnpool(GradientContext c) =>
        c.Gradients((0, c.B.Gather(c.B.Vector(c.Upstream), c.Input(1), 0)));
}
