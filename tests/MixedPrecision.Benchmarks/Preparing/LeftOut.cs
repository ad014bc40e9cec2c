using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Preparing;

/// <summary>Preparations that the product does without, for symmetric formats in the product's own kernels.</summary>
/// <param name="bits">Bits of a value.</param>
/// <param name="block">Inputs that share a scale; 0: a whole column, in the layout of int8-dynamic.</param>
internal sealed class LeftOut(int bits, int block)
{
    private const int ClipSteps = 30;
    private const float ClipStep = 0.02f;

    /// <summary>Integers [N, K] and scales [N, ⌈K/block⌉].</summary>
    public sealed record Rounded(short[] Values, float[] Scales);

    /// <summary>The grid of plain rounding.</summary>
    private WeightGrid Grid(int inputs) => new(block == 0 ? inputs : block, StepOf);

    private GridStep StepOf(ReadOnlySpan<float> values)
    {
        (float low, float high) = Rounding.Range(values);
        short limit = (short)(1 << (bits - 1));
        float scale = block == 0 ? Math.Max(high, -low) / (limit - 1) : (high >= -low ? high : low) / -limit;
        return new GridStep(scale == 0 ? 1 : scale, (short)(block == 0 ? 1 - limit : -limit), (short)(limit - 1));
    }

    /// <summary>Each value to the nearest; the scale of each block is the one of 31, down to 0.4 of the largest value's, with the least squared error of the values, weighted.</summary>
    /// <param name="importance">The weight of each input, [K]; null: plain rounding.</param>
    public Rounded Nearest(LayerSite site, Tensor weight, double[]? importance) => Each(site, (columns, count, steps, values) =>
    {
        int inputs = site.InputSize;
        WeightGrid grid = Grid(inputs);
        for (int place = 0; place < steps.Length; place++)
        {
            int blocks = grid.Blocks(inputs), column = place / blocks, start = place % blocks * grid.Block, length = Math.Min(grid.Block, inputs - start);
            ReadOnlySpan<float> part = columns.Slice((column * inputs) + start, length);
            GridStep best = steps[place];
            double least = double.PositiveInfinity;
            for (int clip = 0; clip <= (importance is null ? 0 : ClipSteps); clip++)
            {
                GridStep step = steps[place] with { Scale = steps[place].Scale * (1 - (clip * ClipStep)) };
                double error = 0;
                for (int i = 0; i < length; i++)
                {
                    double difference = (grid.Nearest(part[i], step, [], i) * step.Scale) - part[i];
                    error += (importance?[start + i] ?? 1) * difference * difference;
                }

                (least, best) = error < least ? (error, step) : (least, best);
            }

            steps[place] = best;
            for (int i = 0; i < length; i++)
            {
                values[(column * inputs) + start + i] = grid.Nearest(part[i], best, [], i);
            }
        }
    }, weight);

    /// <summary>GPTQ as the product has it.</summary>
    public Rounded Compensated(LayerSite site, Tensor weight) => Each(site, (columns, count, steps, values) =>
        site.Moments!.Compensation().Round(columns, count, Grid(site.InputSize), steps, values), weight);

    /// <summary>A format with other constants.</summary>
    /// <param name="real">The format whose kernel and layout it has.</param>
    /// <param name="mean">E[x] of a layer: what rounding changes the mean of each output by is taken off again, behind the layer; null: it is not.</param>
    public NumberFormat Of(NumberFormat real, string name, Func<LayerSite, Tensor, Rounded> round, Func<LayerSite, double[]>? mean = null) => real with
    {
        Name = name,
        Prepare = (site, weight) =>
        {
            Rounded rounded = round(site, weight);
            IReadOnlyList<Tensor> constants = Encode(site, rounded);
            return mean is null ? constants : [.. constants, Correction(site, weight, rounded, mean(site))];
        },
        Emit = e =>
        {
            if (mean is null)
            {
                real.Emit(e);
                return;
            }

            string product = e.Builder.Fresh("uncorrected");
            real.Emit(e with { Constants = [.. e.Constants.Take(2)], Output = product });
            e.Builder.NodeTo([e.Output], "Add", "", [product, e.Constants[2]]);
        },
    };

    private delegate void TileFunction(ReadOnlySpan<float> columns, int count, Span<GridStep> steps, Span<short> values);

    private Rounded Each(LayerSite site, TileFunction round, Tensor weight)
    {
        int inputs = site.InputSize;
        WeightGrid grid = Grid(inputs);
        int blocks = grid.Blocks(inputs);
        var result = new Rounded(new short[site.OutputSize * inputs], new float[site.OutputSize * blocks]);
        site.ForEachTile(weight, (first, count, columns) =>
        {
            var steps = new GridStep[count * blocks];
            for (int place = 0; place < steps.Length; place++)
            {
                int start = place % blocks * grid.Block;
                steps[place] = StepOf(columns.Slice((place / blocks * inputs) + start, Math.Min(grid.Block, inputs - start)));
            }

            round(columns, count, steps, result.Values.AsSpan(first * inputs, count * inputs));
            for (int place = 0; place < steps.Length; place++)
            {
                result.Scales[(first * blocks) + place] = steps[place].Scale;
            }
        });
        return result;
    }

    private Tensor[] Encode(LayerSite site, Rounded rounded)
    {
        int inputs = site.InputSize, outputs = site.OutputSize;
        Tensor scales = Tensor.Of<float>(rounded.Scales, rounded.Scales.Length);
        if (block == 0)
        {
            sbyte[] values = [.. from k in Enumerable.Range(0, inputs) from n in Enumerable.Range(0, outputs) select (sbyte)rounded.Values[(n * inputs) + k]];
            return [Tensor.Of<sbyte>(values, inputs, outputs), scales];
        }

        int blocks = (inputs + block - 1) / block, bytes = block * bits / 8, offset = 1 << (bits - 1);
        var packed = new byte[(long)outputs * blocks * bytes];
        for (int place = 0; place < outputs * blocks * block; place++)
        {
            int k = place % (blocks * block), value = (k < inputs ? rounded.Values[(place / (blocks * block) * inputs) + k] : 0) + offset;
            packed[place * bits / 8] |= (byte)(value << (place * bits % 8));
        }

        return [new Tensor(ElementType.UInt8, [outputs, blocks, bytes], packed), scales];
    }

    private Tensor Correction(LayerSite site, Tensor weight, Rounded rounded, double[] mean)
    {
        int inputs = site.InputSize, size = block == 0 ? inputs : block, blocks = (inputs + size - 1) / size;
        var correction = new float[site.OutputSize];
        site.ForEachColumn(weight, (column, values) =>
        {
            double sum = 0;
            for (int k = 0; k < inputs; k++)
            {
                sum += mean[k] * (values[k] - (rounded.Values[(column * inputs) + k] * rounded.Scales[(column * blocks) + (k / size)]));
            }

            correction[column] = (float)sum;
        });
        return Tensor.Of<float>(correction, correction.Length);
    }
}
