using MixedPrecision.Calibration;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Benchmarks.Reducing;

/// <summary>What preparations would take from calibration samples of a layer, from some rows of each sample, drawn from a seed.</summary>
/// <param name="samples">How many samples there will be.</param>
internal sealed class LayerStatistics(LayerSite site, int samples)
{
    /// <summary>Rows of all samples together, at least, and for each input.</summary>
    private const int FewestRows = 4096, RowsPerInput = 8;

    private const int WidestBlock = 2048;

    private readonly Lock gate = new();
    private MomentSums[] plain = [], weighted = [];
    private double[] sum = [], rounded = [], power = [];
    private float[] largest = [];
    private long rows, elements;

    /// <summary>Adds a sample.</summary>
    /// <param name="gradient">Of the layer's result.</param>
    public void Add(int sample, Gram gram, Tensor x, Tensor gradient)
    {
        var patches = new Patches(site, x.Shape);
        int inputs = patches.Inputs, groups = patches.Groups;
        int most = (Math.Max(FewestRows, RowsPerInput * inputs) + samples - 1) / samples;
        var random = new Random(sample);
        int[] drawn = patches.Count <= most ? [.. Enumerable.Range(0, patches.Count)] : [.. Enumerable.Range(0, most).Select(i => (int)(((long)i * patches.Count / most) + random.Next(Math.Max(1, patches.Count / most))))];
        float[] weights = [.. drawn.Select(row => MathF.Sqrt(SquareOf(patches, row, gradient)))];
        double[] sums = new double[groups * inputs], roundedSums = new double[groups * inputs];
        ValueRange? range = site.Ranges?.Input;
        lock (gate)
        {
            if (plain.Length == 0)
            {
                plain = [.. Enumerable.Range(0, groups).Select(_ => new MomentSums(inputs, Math.Min(inputs, WidestBlock)))];
                weighted = [.. Enumerable.Range(0, groups).Select(_ => new MomentSums(inputs, Math.Min(inputs, WidestBlock)))];
                (sum, rounded) = (new double[groups * inputs], new double[groups * inputs]);
            }
        }

        var values = new float[drawn.Length * inputs];
        for (int group = 0; group < groups; group++)
        {
            for (int i = 0; i < drawn.Length; i++)
            {
                Span<float> row = values.AsSpan(i * inputs, inputs);
                patches.Read(x.Values<float>(), drawn[i], group, row);
                for (int k = 0; k < inputs; k++)
                {
                    sums[(group * inputs) + k] += row[k];
                    roundedSums[(group * inputs) + k] += range is null ? row[k] : (Math.Clamp(MathF.Round(row[k] / range.Scale) + range.ZeroPoint, 0, 255) - range.ZeroPoint) * range.Scale;
                }
            }

            gram.Add(Tensor.Of<float>(values, drawn.Length, inputs), plain[group]);
            for (int i = 0; i < drawn.Length; i++)
            {
                Span<float> row = values.AsSpan(i * inputs, inputs);
                TensorPrimitives.Multiply(row, weights[i], row);
            }

            gram.Add(Tensor.Of<float>(values, drawn.Length, inputs), weighted[group]);
        }

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
            rows += drawn.Length;
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

    /// <summary>E[x] of the rows of a group, as they are or with x rounded to its range.</summary>
    public double[] Mean(int group, bool isRounded) => [.. (isRounded ? rounded : sum).Skip(group * plain[0].Inputs).Take(plain[0].Inputs).Select(s => s / rows)];

    /// <summary>Σ xxᵀ of the rows of a group, or with each weighted by the square of its gradients.</summary>
    public InputMoments Moments(int group, bool isWeighted)
    {
        MomentSums sums = (isWeighted ? weighted : plain)[group];
        float[] total = sums.Total();
        return new InputMoments(sums.Inputs, sums.Rows, sums.Width, sums.HashOf(total), () => total);
    }

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
