using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>
/// The gradient of the kernel of a convolution whose groups read few channels, above all one each (depthwise). Each element of the kernel is a scalar product
/// of one plane of ẏ with one plane of x, shifted; ONNX Runtime has no kernel that is good at it.
/// </summary>
internal static class GroupedKernelGradient
{
    private const long FewChannels = 4;

    public static bool Applies(LayerSite site) =>
        site.Layer is { Kind: LayerKind.Conv, HasWeight: true, WeightShape: { Length: >= 3 } shape } && site.Node.Int("group", 1) > 1 && shape[1] <= FewChannels;

    /// <param name="x">[N, C, …].</param>
    /// <param name="gradient">ẏ, [N, O, …].</param>
    /// <returns>ẇ, [O, C/group, k…].</returns>
    public static float[] Of(LayerSite site, Tensor x, Tensor gradient)
    {
        long[] shape = site.Layer.WeightShape!;
        int spatial = shape.Length - 2, inputs = (int)shape[1], outputs = (int)shape[0], channels = (int)x.Shape[1];
        int perGroup = outputs / (int)site.Node.Int("group", 1);
        int[] kernel = Ints(shape.AsSpan(2)), wide = Ints(x.Shape.AsSpan(2)), small = Ints(gradient.Shape.AsSpan(2));
        int[] strides = Ints(site.Node.Ints("strides") ?? [.. kernel.Select(_ => 1L)]), dilations = Ints(site.Node.Ints("dilations") ?? [.. kernel.Select(_ => 1L)]);
        int[] pads = Befores(site.Node, kernel, wide, small, strides, dilations);
        int elements = kernel.Aggregate(1, (a, b) => a * b), plane = wide.Aggregate(1, (a, b) => a * b), window = small.Aggregate(1, (a, b) => a * b);
        var result = new float[outputs * inputs * elements];
        ReadOnlySpan<float> values = x.Values<float>(), upstream = gradient.Values<float>();
        var rows = new Rows(wide, small, strides[^1]);
        for (int batch = 0; batch < x.Shape[0]; batch++)
        {
            for (int output = 0; output < outputs; output++)
            {
                ReadOnlySpan<float> y = upstream.Slice(((batch * outputs) + output) * window, window);
                for (int input = 0; input < inputs; input++)
                {
                    rows.Take(values.Slice(((batch * channels) + (output / perGroup * inputs) + input) * plane, plane));
                    for (int element = 0; element < elements; element++)
                    {
                        result[(((output * inputs) + input) * elements) + element] += Element(rows, y, element, kernel, strides, dilations, pads);
                    }
                }
            }
        }

        return result;

        int[] Ints(ReadOnlySpan<long> longs)
        {
            var ints = new int[spatial];
            for (int i = 0; i < spatial; i++)
            {
                ints[i] = (int)longs[i];
            }

            return ints;
        }
    }

    /// <summary>Σ over the windows that do not read padding at this element of the kernel.</summary>
    private static float Element(Rows rows, ReadOnlySpan<float> y, int element, int[] kernel, int[] strides, int[] dilations, int[] pads)
    {
        int spatial = kernel.Length;
        Span<int> offsets = stackalloc int[spatial], place = stackalloc int[spatial];
        for (int axis = spatial - 1; axis >= 0; axis--)
        {
            offsets[axis] = (element % kernel[axis] * dilations[axis]) - pads[axis];
            element /= kernel[axis];
        }

        // Windows of the last axis that read inside: first ≤ j < last.
        int[] wide = rows.Wide, small = rows.Small;
        int stride = strides[^1], offset = offsets[^1], width = small[^1];
        int first = offset >= 0 ? 0 : (-offset + stride - 1) / stride, last = Math.Min(width, ((wide[^1] - 1 - offset) / stride) + 1);
        if (last <= first || wide[^1] - 1 - offset < 0)
        {
            return 0;
        }

        place.Clear();
        float sum = 0;
        for (int window = 0; window < y.Length / width; window++)
        {
            int row = 0;
            bool inside = true;
            for (int axis = 0; axis < spatial - 1 && inside; axis++)
            {
                int position = (place[axis] * strides[axis]) + offsets[axis];
                inside = position >= 0 && position < wide[axis];
                row = (row * wide[axis]) + position;
            }

            if (inside)
            {
                sum += TensorPrimitives.Dot(y.Slice((window * width) + first, last - first), rows.Every(row, (first * stride) + offset, last - first));
            }

            for (int axis = spatial - 2; axis >= 0 && ++place[axis] == small[axis]; axis--)
            {
                place[axis] = 0;
            }
        }

        return sum;
    }

    /// <summary>Pads before the input, written down or worked out from the sizes.</summary>
    public static int[] Befores(NodeProto node, int[] kernel, int[] wide, int[] small, int[] strides, int[] dilations)
    {
        string mode = node.Text("auto_pad", "NOTSET");
        if (!mode.StartsWith("SAME", StringComparison.Ordinal))
        {
            return mode == "VALID" || node.Ints("pads") is not { } pads ? new int[kernel.Length] : [.. pads.Take(kernel.Length).Select(p => (int)p)];
        }

        return [.. kernel.Select((k, i) =>
            Math.Max(((small[i] - 1) * strides[i]) + ((k - 1) * dilations[i]) + 1 - wide[i], 0) is int total && mode == "SAME_LOWER" ? (total + 1) / 2 : total / 2)];
    }

    /// <summary>A plane whose rows can be read in steps: elements of one phase of the step lie together.</summary>
    private sealed class Rows(int[] wide, int[] small, int step)
    {
        private readonly int width = wide[^1];
        private readonly float[] plane = new float[wide.Aggregate(1, (a, b) => a * b)];

        public int[] Wide => wide;

        public int[] Small => small;

        public void Take(ReadOnlySpan<float> values)
        {
            if (step == 1)
            {
                values.CopyTo(plane);
                return;
            }

            for (int row = 0; row < values.Length; row += width)
            {
                int to = row;
                for (int phase = 0; phase < Math.Min(step, width); phase++)
                {
                    for (int from = phase; from < width; from += step)
                    {
                        plane[to++] = values[row + from];
                    }
                }
            }
        }

        /// <summary>So many elements of a row, every step-th from a place on.</summary>
        public ReadOnlySpan<float> Every(int row, int from, int count)
        {
            int phase = from % step, before = (phase * (width / step)) + Math.Min(phase, width % step);
            return plane.AsSpan((row * width) + before + (from / step), count);
        }
    }
}
