using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>
/// What the squared gradient of one weight adds up to, sample by sample: Σ (w ẇ)², and for weight matrices Σ ẇ² by output column and block of
/// inputs. Integer formats add Δ²/12 per value, Δ being the same within a block (paper, section 3), so no more is ever needed of them, and no
/// array of the weight's size is kept. Where noise depends on the value (floating formats), Σ σ² ẇ² is summed at once.
/// </summary>
internal sealed class WeightSquares
{
    private readonly LayerSite site;
    private readonly Tensor weight;
    private readonly int block;
    private readonly int blocks;
    private readonly (string Format, float[] Variances, int Together)[] formats;
    private readonly (string Format, WeightDeviations Deviations)[] relative;

    /// <summary>Of a kernel, Δ²/12 by output channel.</summary>
    private readonly (string Format, float[] Variances)[] channels;

    /// <param name="weight">The weight, in its own layout.</param>
    /// <param name="applicable">The formats to judge.</param>
    public WeightSquares(LayerSite site, Tensor weight, IReadOnlyList<NumberFormat> applicable)
    {
        this.site = site;
        this.weight = weight;

        // The smallest blocks of any format, which divide those of the others (sizes are powers of two); whole columns where none has blocks; 0 when the layer has no such format.
        NumberFormat[] integers = [.. applicable.Where(f => f.WeightNoise is null)];
        bool isMatrix = site.HasWeightMatrix || site.IsEmbedding;
        block = !isMatrix || integers.Length == 0 ? 0 : integers.Select(f => f.WeightBlock).Where(b => b > 0).DefaultIfEmpty(site.InputSize).Min();
        blocks = block == 0 ? 0 : (site.InputSize + block - 1) / block;
        formats = block == 0 ? [] : [.. integers.Select(f => (f.Name, Variances(f), f.WeightBlock == 0 ? blocks : f.WeightBlock / block))];
        channels = isMatrix ? [] : [.. integers.Select(f => (f.Name, f.WeightSteps(site, weight).Select(step => step * step / 12).ToArray()))];
        relative = [.. applicable.Where(f => f.WeightNoise is not null).Select(f => (f.Name, f.WeightNoise!(weight)))];
    }

    /// <summary>Whether the gradient of a layer's weight is to be taken in tiles of columns.</summary>
    public static bool IsTiled(LayerSite site, CalibrationMemory memory) => site.HasWeightMatrix && site.Layer.Parameters * sizeof(float) > memory.Weight && site.Node.Int("transA", 0) == 0;

    /// <summary>Sums for one sample.</summary>
    public Sums Start() => new(block == 0 ? [] : new float[blocks * site.OutputSize], new double[relative.Length], new double[channels.Length]);

    /// <summary>Adds the gradient of a sample, or a part of it.</summary>
    /// <param name="gradient">ẇ in the weight's layout, or, of a weight matrix, some of its columns.</param>
    /// <param name="first">The first of these output columns.</param>
    public void Add(Sums sums, ReadOnlySpan<float> gradient, int first)
    {
        ReadOnlySpan<float> weights = weight.Values<float>();
        if (block == 0 && (site.IsWeightTransposed || gradient.Length == site.Layer.Parameters))
        {
            ReadOnlySpan<float> all = weights.Slice(first * site.InputSize, gradient.Length);
            sums.Weighted += Squares.OfProducts(all, gradient);
            AddRelative(sums, all, gradient);
            AddChannels(sums, gradient);
            return;
        }

        int inputs = site.InputSize, outputs = site.OutputSize, count = gradient.Length / inputs;
        for (int row = 0; row < (site.IsWeightTransposed ? count : inputs); row++)
        {
            if (!site.IsWeightTransposed)
            {
                ReadOnlySpan<float> own = weights.Slice((int)(((long)row * outputs) + first), count), part = gradient.Slice(row * count, count);
                sums.Weighted += block == 0 ? Squares.OfProducts(own, part) : Squares.Row(own, part, sums.ByBlock.AsSpan((row / block * outputs) + first, count));
                AddRelative(sums, own, part);
                continue;
            }

            AddRelative(sums, weights.Slice((first + row) * inputs, inputs), gradient.Slice(row * inputs, inputs));
            for (int i = 0; i < blocks; i++)
            {
                int start = (row * inputs) + (i * block), length = Math.Min(block, inputs - (i * block));
                (float square, float weighted) = Squares.Block(weights.Slice((first * inputs) + start, length), gradient.Slice(start, length));
                sums.ByBlock[(i * outputs) + first + row] += square;
                sums.Weighted += weighted;
            }
        }
    }

    /// <summary>Writes down what the sums of a sample come to: Σ (w ẇ)², and by format Σ Δ²/12 Σ ẇ² over columns and blocks.</summary>
    public void AddTo(LayerTerms terms, Sums sums)
    {
        terms.Weight += sums.Weighted;
        int outputs = block > 0 ? site.OutputSize : 0;
        foreach ((string format, float[] variances, int together) in formats)
        {
            double noise = 0;
            for (int i = 0; i < blocks; i++)
            {
                noise += TensorPrimitives.Dot<float>(variances.AsSpan(i / together * outputs, outputs), sums.ByBlock.AsSpan(i * outputs, outputs));
            }

            terms.AddTaylor(format, noise);
        }

        for (int i = 0; i < relative.Length; i++)
        {
            terms.AddTaylor(relative[i].Format, sums.ByValue[i]);
        }

        for (int i = 0; i < channels.Length; i++)
        {
            terms.AddTaylor(channels[i].Format, sums.ByChannel[i]);
        }
    }

    private void AddChannels(Sums sums, ReadOnlySpan<float> gradient)
    {
        for (int i = 0; i < channels.Length; i++)
        {
            float[] variances = channels[i].Variances;
            int size = gradient.Length / variances.Length;
            for (int channel = 0; channel < variances.Length; channel++)
            {
                sums.ByChannel[i] += (double)variances[channel] * TensorPrimitives.SumOfSquares(gradient.Slice(channel * size, size));
            }
        }
    }

    private void AddRelative(Sums sums, ReadOnlySpan<float> weights, ReadOnlySpan<float> gradient)
    {
        if (relative.Length == 0)
        {
            return;
        }

        const int run = 1024;
        Span<float> deviations = stackalloc float[run];
        for (int i = 0; i < relative.Length; i++)
        {
            for (int start = 0; start < gradient.Length; start += run)
            {
                int length = Math.Min(run, gradient.Length - start);
                relative[i].Deviations(weights.Slice(start, length), deviations);
                sums.ByValue[i] += Squares.Block(deviations[..length], gradient.Slice(start, length)).Weighted;
            }
        }
    }

    /// <summary>Δ²/12 of a format, [its blocks, N], in the order in which the sums lie; [N] where a column has one step.</summary>
    private float[] Variances(NumberFormat format)
    {
        float[] steps = format.WeightSteps(site, weight), variances = new float[steps.Length];
        int outputs = site.OutputSize, rows = steps.Length / outputs;
        for (int i = 0; i < steps.Length; i++)
        {
            float step = steps[i];
            variances[(i % rows * outputs) + (i / rows)] = step * step / 12;
        }

        return variances;
    }

    /// <summary>Of one sample.</summary>
    /// <param name="ByBlock">Σ ẇ², [blocks, N].</param>
    /// <param name="ByValue">Σ σ² ẇ² by format whose noise depends on the value.</param>
    /// <param name="ByChannel">Of a kernel, Σ Δ²/12 ẇ² by integer format.</param>
    public sealed record Sums(float[] ByBlock, double[] ByValue, double[] ByChannel)
    {
        /// <summary>Σ (w ẇ)².</summary>
        public double Weighted { get; set; }
    }
}
