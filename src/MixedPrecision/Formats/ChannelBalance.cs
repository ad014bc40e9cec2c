using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Formats;

/// <summary>
/// Powers of two s by which the channels of a layer's input are divided and the rows of its weight multiplied, x·w = (x/s)·(s⊙w), so that channels of very different size do not share one range
/// (SmoothQuant, arXiv 2211.10438). Dividing costs nothing, since another layer makes the channels by a product of matrices alone: its columns are divided. All of it is exact in floats, and
/// nothing else of the model sees it.
/// </summary>
/// <param name="producer">Name of the layer whose columns are divided.</param>
/// <param name="scales">Finds s, [K].</param>
public sealed class ChannelBalance(string producer, Func<float[]> scales)
{
    /// <summary>s = 2^round(strength · log₂ max|x|).</summary>
    private static readonly double[] Strengths = [0, 0.25, 0.5, 0.625, 0.75, 0.875, 1];

    private readonly Lazy<float[]> found = new(scales);

    /// <summary>Name of the layer whose columns are divided.</summary>
    public string Producer => producer;

    /// <summary>s, [K].</summary>
    public float[] Scales => found.Value;

    /// <summary>Of the strengths the one with which rounding activations to 8 bits per tensor and weights to 8 bits per column is expected to change the outputs least, all of them alike.</summary>
    /// <param name="moments">What calibration saw the layer read.</param>
    public static float[] Find(LayerSite site, Tensor weight, InputMoments moments)
    {
        float[] largest = moments.Largest();
        double[] power = [.. moments.Read().SelectMany(b => Enumerable.Range(0, b.Size).Select(i => (double)b.Values[(i * b.Size) + i] / moments.Rows))];
        float[][] candidates =
        [
            .. Strengths.Select(strength => largest.Select(l => l > 0 ? (float)Math.ScaleB(1, (int)Math.Round(strength * Math.Log2(l))) : 1).ToArray()),
        ];

        // By tile, since sums must not depend on which thread is first.
        int inputs = site.InputSize, outputs = site.OutputSize;
        var rows = new SortedDictionary<int, float[]>();
        var steps = new double[candidates.Length][];
        for (int i = 0; i < steps.Length; i++)
        {
            steps[i] = new double[outputs];
        }

        site.ForEachTile(weight, (first, count, columns) =>
        {
            float[] squares = new float[inputs], scaled = new float[inputs];
            for (int column = 0; column < count; column++)
            {
                ReadOnlySpan<float> own = columns.Slice(column * inputs, inputs);
                TensorPrimitives.MultiplyAdd(own, own, squares, squares);
                for (int i = 0; i < candidates.Length; i++)
                {
                    TensorPrimitives.Multiply(own, candidates[i], scaled);
                    steps[i][first + column] = TensorPrimitives.MaxMagnitude<float>(scaled) / 127.0;
                }
            }

            lock (rows)
            {
                rows.Add(first, squares);
            }
        });
        int best = Enumerable.Range(0, candidates.Length).MinBy(i =>
        {
            float[] s = candidates[i];
            double range = 0, weighted = 0, moved = 0;
            for (int k = 0; k < inputs; k++)
            {
                range = Math.Max(range, 2.0 * largest[k] / s[k] / 255);
                weighted += (double)s[k] * s[k] * rows.Values.Sum(r => (double)r[k]);
                moved += power[k] / s[k] / s[k];
            }

            return (range * range * weighted) + (steps[i].Sum(step => step * step) * moved);
        });
        return candidates[best];
    }
}
