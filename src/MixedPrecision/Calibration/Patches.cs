using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>What a layer's outputs are sums over, as rows: of a convolution the patches of its input, [C/group · kernel], in the order of its weight; of a matrix the rows of its input.</summary>
internal sealed class Patches
{
    private const double GoldenRatio = 0.6180339887498949;

    private readonly int[] kernel, strides, dilations, pads, wide, small;
    private readonly int channels, perGroup, elements, plane, window;
    private readonly bool isMatrix;

    /// <param name="x">Shape of what the layer reads.</param>
    public Patches(LayerSite site, long[] x)
    {
        long[] weight = site.Layer.WeightShape!;
        isMatrix = site.HasWeightMatrix;
        (kernel, strides, dilations, pads, wide, small) = ([], [], [], [], [], []);
        if (isMatrix)
        {
            (Inputs, Groups, Count) = (site.InputSize, 1, (int)(Tensor.ElementCount(x) / site.InputSize));
            return;
        }

        kernel = [.. weight.Skip(2).Select(k => (int)k)];
        strides = Ints("strides");
        dilations = Ints("dilations");
        wide = [.. x.Skip(2).Select(d => (int)d)];
        string mode = site.Node.Text("auto_pad", "NOTSET");
        int[] all = mode == "NOTSET" && site.Node.Ints("pads") is { } given ? [.. given.Select(p => (int)p)] : new int[2 * kernel.Length];
        small = [.. wide.Select((w, i) => mode.StartsWith("SAME", StringComparison.Ordinal) ? (w + strides[i] - 1) / strides[i] : ((w + all[i] + all[i + kernel.Length] - Span(i)) / strides[i]) + 1)];
        pads = GroupedKernelGradient.Befores(site.Node, kernel, wide, small, strides, dilations);
        (channels, perGroup, elements, plane, window) = ((int)x[1], (int)weight[1], Product(kernel), Product(wide), Product(small));
        (Inputs, Groups, Count) = (perGroup * elements, (int)site.Node.Int("group", 1), (int)x[0] * window);

        int Span(int i) => ((kernel[i] - 1) * dilations[i]) + 1;
        int[] Ints(string name) => [.. site.Node.Ints(name)?.Select(v => (int)v) ?? kernel.Select(_ => 1)];
        static int Product(int[] sizes) => sizes.Aggregate(1, (a, b) => a * b);
    }

    /// <summary>Elements of a row.</summary>
    public int Inputs { get; }

    /// <summary>Groups, each of which has rows of its own.</summary>
    public int Groups { get; }

    /// <summary>Rows of each group.</summary>
    public int Count { get; }

    /// <summary>Batch and place within it of a row in the layer's result, [N, O, …]; of a matrix the row alone.</summary>
    public (int Batch, int Place, int Window) PlaceOf(int row) => isMatrix ? (row, 0, 1) : (row / window, row % window, window);

    /// <summary>Some rows of all groups, one group beside the other, [rows, Groups · Inputs]; all there are where these are no more, else spread evenly.</summary>
    public Tensor Some(Tensor x, int most)
    {
        int count = Math.Min(Count, most), all = Groups * Inputs;
        var rows = new float[count * all];
        for (int i = 0; i < count; i++)
        {
            int row = RowAt(i, count);
            for (int group = 0; group < Groups; group++)
            {
                Read(x.Values<float>(), row, group, rows.AsSpan((i * all) + (group * Inputs), Inputs));
            }
        }

        return Tensor.Of<float>(rows, count, all);
    }

    /// <summary>The row that stands at a place among so many: multiples of the golden ratio, modulo 1, keep apart, and to no row or column of a plane.</summary>
    public int RowAt(int place, int count) => count == Count ? place : (int)(place * GoldenRatio % 1 * Count);

    /// <summary>Copies a row of a group.</summary>
    private void Read(ReadOnlySpan<float> x, int row, int group, Span<float> patch)
    {
        if (isMatrix)
        {
            x.Slice(row * Inputs, Inputs).CopyTo(patch);
            return;
        }

        int place = row % window, spatial = kernel.Length;
        Span<int> origin = stackalloc int[spatial], offsets = stackalloc int[elements];
        for (int axis = spatial - 1; axis >= 0; axis--)
        {
            origin[axis] = (place % small[axis] * strides[axis]) - pads[axis];
            place /= small[axis];
        }

        for (int element = 0; element < elements; element++)
        {
            int left = element, offset = 0, step = 1;
            for (int axis = spatial - 1; axis >= 0; axis--)
            {
                int at = origin[axis] + (left % kernel[axis] * dilations[axis]);
                left /= kernel[axis];
                offset = at < 0 || at >= wide[axis] ? int.MinValue / 2 : offset + (at * step);
                step *= wide[axis];
            }

            offsets[element] = offset;
        }

        int start = ((row / window * channels) + (group * perGroup)) * plane;
        for (int channel = 0; channel < perGroup; channel++)
        {
            for (int element = 0; element < elements; element++)
            {
                patch[(channel * elements) + element] = offsets[element] < 0 ? 0 : x[start + (channel * plane) + offsets[element]];
            }
        }
    }
}
