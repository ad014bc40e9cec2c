using CsCheck;
using MixedPrecision.Calibration;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Tests.Calibration;

/// <summary>The gradient of depthwise and narrow grouped kernels against its definition, window by window.</summary>
public class GroupedKernelGradientTests
{
    private static readonly Gen<Convolution> Convolutions =
        from spatial in Gen.Int[1, 3]
        from groups in Gen.Long[2, 3]
        from channels in Gen.Long[1, 2].Array[2]
        from batch in Gen.Long[1, 2]
        from kernel in Gen.Long[1, 3].Array[spatial]
        from strides in Gen.Long[1, 3].Array[spatial]
        from dilations in Gen.Long[1, 2].Array[spatial]
        from pads in Gen.Long[0, 3].Array[2 * spatial]
        from surplus in Gen.Long[0, 4].Array[spatial]
        from mode in Gen.Int[0, 4].Select(i => i switch { 0 => "SAME_UPPER", 1 => "SAME_LOWER", 2 => "VALID", _ => "NOTSET" })
        select new Convolution(groups, channels[0], channels[1], batch, kernel, strides, dilations, pads, [.. surplus.Select((s, i) => ((kernel[i] - 1) * dilations[i]) + 1 + s)], mode);

    [Fact]
    public void EachElementIsTheSumOverItsWindows() => Convolutions.Sample(
        c =>
        {
            var random = new Random(1);
            Tensor Random(params long[] shape) => Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => (float)random.NextDouble() - 0.5f)], shape);
            Tensor x = Random([c.Batch, c.Groups * c.Inputs, .. c.Sizes]), gradient = Random([c.Batch, c.Groups * c.Outputs, .. c.Windows]);
            float[] actual = GroupedKernelGradient.Of(c.Site, x, gradient);
            double[] expected = c.Define(x.Values<float>().ToArray(), gradient.Values<float>().ToArray());
            Assert.Equal(expected.Length, actual.Length);
            Assert.All(expected.Zip(actual), e => Assert.Equal(e.First, e.Second, 1e-4));
        },
        iter: 300);

    private sealed record Convolution(
        long Groups, long Inputs, long Outputs, long Batch, long[] Kernel, long[] Strides, long[] Dilations, long[] Pads, long[] Sizes, string Mode)
    {
        public LayerSite Site
        {
            get
            {
                var node = new NodeProto { OpType = "Conv" };
                node.Attribute.AddRange(
                [
                    Attributes.Of("group", Groups),
                    Attributes.Of("strides", Strides),
                    Attributes.Of("dilations", Dilations),
                    Mode == "NOTSET" ? Attributes.Of("pads", Pads) : Attributes.Of("auto_pad", Mode),
                ]);
                long[] weight = [Groups * Outputs, Inputs, .. Kernel];
                var layer = new Layer("conv", LayerKind.Conv, "Conv", 0, "x", "w", null, "y", weight, Tensor.ElementCount(weight));
                return new LayerSite(layer, node, 17, new TensorType(ElementType.Float, null), new TensorType(ElementType.Float, null));
            }
        }

        /// <summary>Sizes of the output (operator specification).</summary>
        public long[] Windows => [.. Sizes.Select((size, i) => Mode.StartsWith("SAME", StringComparison.Ordinal)
            ? (size + Strides[i] - 1) / Strides[i]
            : ((size + Total(i) - Extent(i)) / Strides[i]) + 1)];

        public double[] Define(float[] x, float[] gradient)
        {
            long[] windows = Windows;
            int plane = (int)Tensor.ElementCount(Sizes), places = (int)Tensor.ElementCount(windows), elements = (int)Tensor.ElementCount(Kernel);
            var result = new double[Groups * Outputs * Inputs * elements];
            for (int batch = 0; batch < Batch; batch++)
            {
                for (int output = 0; output < Groups * Outputs; output++)
                {
                    for (int input = 0; input < Inputs; input++)
                    {
                        for (int element = 0; element < elements; element++)
                        {
                            for (int place = 0; place < places; place++)
                            {
                                long from = Position(Split(place, windows), Split(element, Kernel), windows);
                                long channel = (output / Outputs * Inputs) + input;
                                result[(((output * Inputs) + input) * elements) + element] += from < 0 ? 0
                                    : (double)gradient[(((batch * Groups * Outputs) + output) * places) + place] * x[(((batch * Groups * Inputs) + channel) * plane) + from];
                            }
                        }
                    }
                }
            }

            return result;
        }

        private long Extent(int axis) => ((Kernel[axis] - 1) * Dilations[axis]) + 1;

        private long Total(int axis) => Mode == "NOTSET" ? Pads[axis] + Pads[axis + Kernel.Length] : 0;

        private long Before(int axis, long windows)
        {
            long total = Math.Max(((windows - 1) * Strides[axis]) + Extent(axis) - Sizes[axis], 0);
            return Mode switch { "NOTSET" => Pads[axis], "SAME_UPPER" => total / 2, "SAME_LOWER" => total - (total / 2), _ => 0 };
        }

        /// <summary>Where in the plane an element of the kernel reads at a window; −1 in the padding.</summary>
        private long Position(long[] place, long[] element, long[] windows)
        {
            long position = 0;
            for (int axis = 0; axis < Kernel.Length; axis++)
            {
                long at = (place[axis] * Strides[axis]) + (element[axis] * Dilations[axis]) - Before(axis, windows[axis]);
                if (at < 0 || at >= Sizes[axis])
                {
                    return -1;
                }

                position = (position * Sizes[axis]) + at;
            }

            return position;
        }

        private static long[] Split(long index, long[] sizes)
        {
            var split = new long[sizes.Length];
            for (int axis = sizes.Length - 1; axis >= 0; axis--)
            {
                (index, split[axis]) = (index / sizes[axis], index % sizes[axis]);
            }

            return split;
        }
    }
}
