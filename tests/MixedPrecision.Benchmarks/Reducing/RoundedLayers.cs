using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Benchmarks.Reducing;

/// <summary>How weights of convolutions in 8 bits are rounded.</summary>
internal enum Rounds
{
    /// <summary>Each value to the nearest.</summary>
    Nearest,

    /// <summary>GPTQ, as the product does it.</summary>
    Compensated,

    /// <summary>The same with each row weighted by the square of its gradients.</summary>
    Weighted,
}

/// <summary>Preparations of layers in int8-static that the product may do without.</summary>
internal static class RoundedLayers
{
    /// <summary>The format with weights rounded in one of the ways.</summary>
    /// <param name="format">The one that rounds with what calibration saw.</param>
    public static NumberFormat Of(NumberFormat format, Rounds how, Func<LayerSite, LayerStatistics> statistics) => how switch
    {
        Rounds.Nearest => NumberFormats.Get(format.Name.Replace(FormatFamilies.Gptq, FormatFamilies.Rounded, StringComparison.Ordinal)) with { Name = format.Name },
        Rounds.Weighted => format with { Prepare = (site, weight) => format.Prepare(site with { Moments = statistics(site).Weighted }, weight) },
        _ => format,
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
        double[] mean = statistics.Mean(false), seen = statistics.Mean(isRounded);
        for (int output = 0; output < outputs; output++)
        {
            int start = output / (outputs / groups) * inputs;
            double change = 0;
            for (int k = 0; k < inputs; k++)
            {
                change += (weight.Values<float>()[(output * inputs) + k] * mean[start + k]) - (held.Values<float>()[(output * inputs) + k] * seen[start + k]);
            }

            correction[output] = (float)change;
        }

        return correction;
    }
}
