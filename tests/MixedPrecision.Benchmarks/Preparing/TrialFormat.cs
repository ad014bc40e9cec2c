using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarks.Preparing;

/// <summary>An integer grid for weights.</summary>
/// <param name="Bits">Of the values; 3 and 2 are stored in 4.</param>
/// <param name="Block">Inputs of one scale; 0: a whole column, in the layout of int8-dynamic.</param>
internal sealed record Grid(string Name, int Bits, int Block, int Accuracy = 4)
{
    public int Least => Block == 0 ? -127 : -(1 << (Bits - 1));

    public int Most => Block == 0 ? 127 : (1 << (Bits - 1)) - 1;

    public float Scale(ReadOnlySpan<float> values)
    {
        float scale = Block == 0 ? Rounding.LargestPair(values) / 127 : Largest(values) / Least;
        return scale == 0 ? 1 : scale;
    }

    /// <summary>The value of largest magnitude, with its sign; the positive one of two.</summary>
    public static float Largest(ReadOnlySpan<float> values) => Rounding.Range(values) is var (low, high) && high >= -low ? high : low;
}

/// <summary>Formats of the trial: the kernels of the product, weights prepared by a function.</summary>
internal static class TrialFormat
{
    /// <param name="prepare">Of a layer and its columns [N, K]: integers [N, K] and scales [N, ⌈K/block⌉].</param>
    public static NumberFormat Of(Grid grid, string preparation, Func<LayerSite, float[], (sbyte[] Values, float[] Scales)> prepare, Func<LayerSite, double[]>? means = null)
    {
        if (means is not null)
        {
            return Corrected(Of(grid, preparation, prepare), prepare, means, grid);
        }

        string name = $"{grid.Name} {preparation}";
        if (grid.Block == 0)
        {
            NumberFormat dynamic = NumberFormats.Get("int8-dynamic");
            return dynamic with
            {
                Name = name,
                Prepare = (site, weight) =>
                {
                    (sbyte[] values, float[] scales) = prepare(site, Columns(site, weight));
                    var transposed = new sbyte[values.Length];
                    int inputs = site.InputSize, outputs = site.OutputSize;
                    for (int n = 0; n < outputs; n++)
                    {
                        for (int k = 0; k < inputs; k++)
                        {
                            transposed[(k * outputs) + n] = values[(n * inputs) + k];
                        }
                    }

                    return [Tensor.Of<sbyte>(transposed, inputs, outputs), Tensor.Of<float>(scales, outputs)];
                },
            };
        }

        int stored = grid.Bits == 8 ? 8 : 4, offset = 1 << (stored - 1);
        NumberFormat block = BlockWeights.Symmetric(FormatId.Parse(stored == 8 ? "int8-weight" : "int4-weight"), stored, grid.Block) with { Name = name };
        return block with
        {
            WeightBlock = grid.Block,
            WeightSteps = (site, weight) =>
            {
                (_, float[] scales) = prepare(site, Columns(site, weight));
                return scales;
            },
            InputNoise = null,
            Prepare = (site, weight) =>
            {
                (sbyte[] values, float[] scales) = prepare(site, Columns(site, weight));
                int inputs = site.InputSize, outputs = site.OutputSize, blocks = (inputs + grid.Block - 1) / grid.Block, bytes = grid.Block * stored / 8;
                var packed = new byte[(long)outputs * blocks * bytes];
                Array.Fill(packed, (byte)(stored == 8 ? 128 : 0x88));
                for (int n = 0; n < outputs; n++)
                {
                    for (int k = 0; k < inputs; k++)
                    {
                        int value = values[(n * inputs) + k] + offset, place = (((n * blocks) + (k / grid.Block)) * bytes) + (k % grid.Block * stored / 8);
                        packed[place] = stored == 8 ? (byte)value : (byte)(k % 2 == 0 ? (packed[place] & 0xf0) | value : (packed[place] & 0x0f) | (value << 4));
                    }
                }

                return [new Tensor(ElementType.UInt8, [outputs, blocks, bytes], packed), Tensor.Of<float>(scales, (long)outputs * blocks)];
            },
            Emit = e => e.Product(
                "MatMulNBits",
                "com.microsoft",
                [e.Input, e.Constants[0], e.Constants[1]],
                Attributes.Of("K", e.Site.InputSize),
                Attributes.Of("N", e.Site.OutputSize),
                Attributes.Of("bits", stored),
                Attributes.Of("block_size", grid.Block),
                Attributes.Of("accuracy_level", grid.Accuracy)),
        };
    }

    /// <summary>The same, with what the rounding of weights changes the mean of each output by taken off (bias correction).</summary>
    private static NumberFormat Corrected(NumberFormat format, Func<LayerSite, float[], (sbyte[] Values, float[] Scales)> prepare, Func<LayerSite, double[]> means, Grid grid) => format with
    {
        Prepare = (site, weight) =>
        {
            float[] columns = Columns(site, weight);
            (sbyte[] values, float[] scales) = prepare(site, columns);
            double[] mean = means(site);
            int inputs = site.InputSize, block = grid.Block == 0 ? inputs : grid.Block, blocks = (inputs + block - 1) / block;
            var correction = new float[site.OutputSize];
            for (int n = 0; n < correction.Length; n++)
            {
                double sum = 0;
                for (int k = 0; k < inputs; k++)
                {
                    sum += mean[k] * (columns[(n * inputs) + k] - (values[(n * inputs) + k] * scales[(n * blocks) + (k / block)]));
                }

                correction[n] = (float)sum;
            }

            return [.. format.Prepare(site, weight), Tensor.Of<float>(correction, correction.Length)];
        },
        Emit = e =>
        {
            string product = e.Builder.Fresh("uncorrected");
            format.Emit(e with { Constants = [.. e.Constants.Take(2)], Output = product });
            e.Builder.NodeTo([e.Output], "Add", "", [product, e.Constants[2]]);
        },
    };

    public static float[] Columns(LayerSite site, Tensor weight)
    {
        var columns = new float[site.InputSize * site.OutputSize];
        site.ForEachColumn(weight, (column, values) => values.CopyTo(columns.AsSpan(column * site.InputSize)));
        return columns;
    }
}
