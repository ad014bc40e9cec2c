using MixedPrecision.Calibration.Formats;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>
/// What the squared gradients of one weight add up to, over samples: Σ (w ẇ)², and for weight matrices Σ ẇ² by output column and block of
/// inputs. Integer formats add Δ²/12 per value, Δ being the same within a block (paper, section 3), so no more is ever needed, and no
/// array of the weight's size is kept.
/// </summary>
/// <param name="weight">The weight, in its own layout.</param>
/// <param name="block">Inputs that share a sum; 0 for none but the total.</param>
internal sealed class WeightSquares(LayerSite site, Tensor weight, int block)
{
    private readonly int blocks = block == 0 ? 0 : (site.InputSize + block - 1) / block;
    private readonly float[] sums = block == 0 ? [] : new float[(site.InputSize + block - 1) / block * site.OutputSize];
    private readonly float[] products = new float[1 << 14];

    /// <summary>Σ (w ẇ)².</summary>
    public double Weighted { get; private set; }

    /// <summary>Whether the gradient of a layer's weight is to be taken in tiles of columns.</summary>
    public static bool IsTiled(LayerSite site, CalibrationMemory memory) => site.HasWeightMatrix && site.Layer.Parameters * sizeof(float) > memory.Weight && site.Node.Int("transA", 0) == 0;

    /// <summary>The widest common division of the formats: blocks of inputs if any has them, else whole columns; 0 when the layer has no such format.</summary>
    public static int BlockOf(LayerSite site, IReadOnlyList<NumberFormat> applicable) =>
        !site.HasWeightMatrix || applicable.Count == 0 ? 0 : applicable.Max(f => f.WeightBlock) is > 0 and int block ? block : site.InputSize;

    /// <summary>Adds the gradient of one sample.</summary>
    /// <param name="gradient">ẇ in the weight's layout, or, of a weight matrix, some of its columns.</param>
    /// <param name="first">The first of these output columns.</param>
    public void Add(ReadOnlySpan<float> gradient, int first)
    {
        if (block == 0 && gradient.Length == site.Layer.Parameters)
        {
            Weighted += Product(gradient, 0);
            return;
        }

        int inputs = site.InputSize, outputs = site.OutputSize, count = gradient.Length / inputs;
        if (site.IsWeightTransposed)
        {
            for (int column = 0; column < count; column++)
            {
                for (int i = 0; i < blocks; i++)
                {
                    ReadOnlySpan<float> part = gradient.Slice((column * inputs) + (i * block), Math.Min(block, inputs - (i * block)));
                    sums[(i * outputs) + first + column] += TensorPrimitives.SumOfSquares(part);
                }

                Weighted += Product(gradient.Slice(column * inputs, inputs), (long)(first + column) * inputs);
            }

            return;
        }

        for (int input = 0; input < inputs; input++)
        {
            ReadOnlySpan<float> row = gradient.Slice(input * count, count);
            if (block > 0)
            {
                Span<float> sum = sums.AsSpan((input / block * outputs) + first, count);
                TensorPrimitives.MultiplyAdd(row, row, sum, sum);
            }

            Weighted += Product(row, ((long)input * outputs) + first);
        }
    }

    /// <summary>Σ Δ²/12 Σ ẇ² over the columns and blocks of a format.</summary>
    public double Noise(NumberFormat format)
    {
        if (block == 0)
        {
            return 0;
        }

        float[] steps = format.WeightSteps(site, weight);
        int outputs = site.OutputSize;
        double noise = 0;
        for (int i = 0; i < sums.Length; i++)
        {
            float step = format.WeightBlock == 0 ? steps[i % outputs] : steps[(i % outputs * blocks) + (i / outputs)];
            noise += (double)step * step / 12 * sums[i];
        }

        return noise;
    }

    /// <summary>Σ (w ẇ)² over a run of elements.</summary>
    private double Product(ReadOnlySpan<float> gradient, long first)
    {
        double sum = 0;
        for (int start = 0; start < gradient.Length; start += products.Length)
        {
            Span<float> part = products.AsSpan(0, Math.Min(products.Length, gradient.Length - start));
            ReadOnlySpan<float> values = weight.Values<float>().Slice((int)first + start, part.Length);
            TensorPrimitives.Multiply(values, gradient.Slice(start, part.Length), part);
            sum += TensorPrimitives.SumOfSquares<float>(part);
        }

        return sum;
    }
}
