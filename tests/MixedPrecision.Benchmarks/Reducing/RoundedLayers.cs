using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Reducing;

/// <summary>How weights of convolutions in 8 bits are rounded.</summary>
internal enum Rounds
{
    /// <summary>Each value to the nearest.</summary>
    Nearest,

    /// <summary>GPTQ over patches.</summary>
    Compensated,

    /// <summary>The same with each patch weighted by the square of its gradients.</summary>
    Weighted,
}

/// <summary>Preparations of layers in int8-static that the product may do without.</summary>
internal static class RoundedLayers
{
    /// <summary>The format with weights rounded in another way.</summary>
    public static NumberFormat Of(NumberFormat format, Rounds how, Func<LayerSite, LayerStatistics> statistics, int limit) => how == Rounds.Nearest ? format : format with
    {
        Prepare = (site, weight) => Prepare(format, site, weight, statistics(site), how == Rounds.Weighted, limit),
    };

    /// <summary>The format with floats that are rounded as its weights are, and no other rounding.</summary>
    public static NumberFormat WeightsAlone(NumberFormat format) => format with
    {
        ReadsRanges = false,
        Prepare = (site, weight) => [format.HeldWeight!(site, format.Prepare(site, weight))],
        Emit = e => e.Builder.NodeTo([e.Output], e.Site.Node.OpType, "", e.Bias is string bias ? [e.Input, e.Constants[0], bias] : [e.Input, e.Constants[0]], [.. e.Site.Node.Attribute]),
    };

    /// <summary>What takes the mean error off each output channel: of the weight's rounding alone, or with that of what the layer reads.</summary>
    public static float[] Correction(LayerSite site, Tensor weight, Tensor held, LayerStatistics statistics, bool isRounded)
    {
        int outputs = (int)site.Layer.WeightShape![0], inputs = (int)(weight.Count / outputs), groups = (int)site.Node.Int("group", 1);
        var correction = new float[outputs];
        for (int output = 0; output < outputs; output++)
        {
            int group = output / (outputs / groups);
            double[] mean = statistics.Mean(group, false), seen = statistics.Mean(group, isRounded);
            double change = 0;
            for (int k = 0; k < inputs; k++)
            {
                change += (weight.Values<float>()[(output * inputs) + k] * mean[k]) - (held.Values<float>()[(output * inputs) + k] * seen[k]);
            }

            correction[output] = (float)change;
        }

        return correction;
    }

    private static IReadOnlyList<Tensor> Prepare(NumberFormat format, LayerSite site, Tensor weight, LayerStatistics statistics, bool isWeighted, int limit)
    {
        IReadOnlyList<Tensor> plain = format.Prepare(site, weight);
        byte[] quantized = plain[0].Bytes.ToArray();
        float[] scales = plain[1].Values<float>().ToArray();
        if (site.HasWeightMatrix)
        {
            Grid(site.InputSize, limit).Round(site, weight, statistics.Moments(0, isWeighted), (column, steps, values) =>
            {
                scales[column] = steps[0].Scale;
                for (int row = 0; row < values.Length; row++)
                {
                    quantized[(row * scales.Length) + column] = (byte)values[row];
                }
            });
            return [new Tensor(plain[0].ElementType, plain[0].Shape, quantized), Tensor.Of<float>(scales, scales.Length)];
        }

        int outputs = scales.Length, inputs = (int)(weight.Count / outputs), groups = (int)site.Node.Int("group", 1), count = outputs / groups, padded = quantized.Length / outputs;
        for (int group = 0; group < groups; group++)
        {
            var steps = new GridStep[count];
            for (int i = 0; i < count; i++)
            {
                steps[i] = new GridStep(scales[(group * count) + i], (short)-limit, (short)limit);
            }

            var values = new short[count * inputs];
            statistics.Moments(group, isWeighted).Compensation().Round(weight.Values<float>().Slice(group * count * inputs, count * inputs), count, Grid(inputs, limit), steps, values);
            for (int i = 0; i < count; i++)
            {
                scales[(group * count) + i] = steps[i].Scale;
                for (int k = 0; k < inputs; k++)
                {
                    quantized[(((group * count) + i) * padded) + k] = (byte)values[(i * inputs) + k];
                }
            }
        }

        return [new Tensor(plain[0].ElementType, plain[0].Shape, quantized), Tensor.Of<float>(scales, outputs)];
    }

    private static WeightGrid Grid(int inputs, int limit) => new(inputs, column =>
    {
        (float low, float high) = Rounding.Range(column);
        return new GridStep(MathF.Max(high, -low) is > 0 and float largest ? largest / limit : 1, (short)-limit, (short)limit);
    });
}
