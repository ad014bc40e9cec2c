using MixedPrecision.Calibration;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Benchmarks.Reducing;

/// <summary>What preparations would take from calibration samples of a layer, besides moments.</summary>
/// <param name="samples">How many samples there will be.</param>
internal sealed class LayerStatistics(LayerSite site, int samples)
{
    /// <summary>As the product takes them.</summary>
    private const int FewestRows = 4096, RowsPerInput = 4, WidestBlock = 1024;

    private readonly Lock gate = new();
    private MomentSums? weighted;
    private double[] sum = [], rounded = [], power = [];
    private float[] largest = [];
    private long rows, elements;

    /// <summary>Adds a sample.</summary>
    /// <param name="gradient">Of the layer's result.</param>
    public void Add(Gram gram, Tensor x, Tensor gradient)
    {
        var patches = new Patches(site, x.Shape);
        int size = site.RowSize, all = size * site.Groups;
        Tensor some = patches.Some(x, (Math.Max(FewestRows, RowsPerInput * size) + samples - 1) / samples);
        float[] values = some.Values<float>().ToArray();
        int count = values.Length / all;
        double[] sums = new double[all], roundedSums = new double[all];
        ValueRange? range = site.Ranges?.Input;
        for (int place = 0; place < values.Length; place++)
        {
            float value = values[place];
            sums[place % all] += value;
            roundedSums[place % all] += range is null ? value : (Math.Clamp(MathF.Round(value / range.Scale) + range.ZeroPoint, 0, 255) - range.ZeroPoint) * range.Scale;
        }

        for (int place = 0; place < count; place++)
        {
            Span<float> row = values.AsSpan(place * all, all);
            TensorPrimitives.Multiply(row, MathF.Sqrt(SquareOf(patches, patches.RowAt(place, count), gradient)), row);
        }

        lock (gate)
        {
            weighted ??= new MomentSums(all, InputMoments.WidthOf(size, site.Groups, WidestBlock));
            if (sum.Length == 0)
            {
                (sum, rounded) = (new double[all], new double[all]);
            }
        }

        gram.Add(Tensor.Of<float>(values, count, all), weighted);
        int channels = site.HasWeightMatrix ? site.InputSize : (int)x.Shape[1], plane = site.HasWeightMatrix ? 1 : (int)(x.Count / x.Shape[0] / channels);
        float[] own = new float[channels];
        double[] squares = new double[channels];
        for (int start = 0; start < x.Count; start += plane)
        {
            ReadOnlySpan<float> part = x.Values<float>().Slice(start, plane);
            int channel = start / plane % channels;
            own[channel] = MathF.Max(own[channel], MathF.Abs(TensorPrimitives.MaxMagnitude(part)));
            squares[channel] += TensorPrimitives.SumOfSquares(part);
        }

        lock (gate)
        {
            rows += count;
            elements += x.Count / channels;
            TensorPrimitives.Add(sum, sums, sum);
            TensorPrimitives.Add(rounded, roundedSums, rounded);
            if (largest.Length == 0)
            {
                (largest, power) = (new float[channels], new double[channels]);
            }

            TensorPrimitives.Max<float>(largest, own, largest);
            TensorPrimitives.Add(power, squares, power);
        }
    }

    /// <summary>Of each input channel the largest magnitude.</summary>
    public float[] Largest => largest;

    /// <summary>Of each input channel the mean square.</summary>
    public double[] Power => [.. power.Select(p => p / elements)];

    /// <summary>E[x] of the rows of all groups, as they are or with x rounded to its range.</summary>
    public double[] Mean(bool isRounded) => [.. (isRounded ? rounded : sum).Select(s => s / rows)];

    /// <summary>Σ xxᵀ with each row weighted by the square of its gradients.</summary>
    public InputMoments Weighted => weighted!.Total() is var total ? new InputMoments(weighted.Inputs, weighted.Rows, weighted.Width, weighted.HashOf(total), () => total) : null!;

    private float SquareOf(Patches patches, int row, Tensor gradient)
    {
        (int batch, int place, int window) = patches.PlaceOf(row);
        int outputs = site.HasWeightMatrix ? site.OutputSize : (int)gradient.Shape[1];
        float square = 0;
        for (int output = 0; output < outputs; output++)
        {
            float value = gradient.Values<float>()[(((batch * outputs) + output) * window) + place];
            square += value * value;
        }

        return square;
    }
}
