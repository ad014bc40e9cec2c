using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Formats;

/// <summary>
/// Powers of two s by which the channels of a layer's input are divided and the rows of its weight multiplied, x·w = (x/s)·(s⊙w), so that channels of very different size do not share one range
/// (SmoothQuant, arXiv 2211.10438). Dividing costs nothing, since another layer makes the channels by a product of matrices alone: its columns are divided. All of it is exact in floats, and
/// nothing else of the model sees it.
/// </summary>
/// <param name="producer">Name of the layer whose columns are divided.</param>
/// <param name="moments">What calibration saw the layer read; null where s is known and it is not.</param>
/// <param name="scales">Finds s, [K].</param>
public sealed class ChannelBalance(string producer, InputMoments? moments, Func<float[]> scales)
{
    /// <summary>s = 2^round(strength · log₂ max|x|).</summary>
    private static readonly double[] Strengths = [0, 0.25, 0.5, 0.625, 0.75, 0.875, 1];

    /// <summary>Channels that are smaller than the largest by more than this count as if by this: what calibration hardly saw must not take the whole range when it comes.</summary>
    private const float LeastShare = 1 / 256f;

    private readonly Lazy<(float[] Scales, InputMoments? Moments)> found = new(() =>
    {
        float[] s = scales();
        return (s, moments?.Divided(s));
    });

    /// <summary>Name of the layer whose columns are divided.</summary>
    public string Producer => producer;

    /// <summary>s, [K].</summary>
    public float[] Scales => found.Value.Scales;

    /// <summary>The moments of x/s, or null.</summary>
    public InputMoments? Moments => found.Value.Moments;

    /// <summary>Of the strengths the one with which rounding activations to 8 bits per tensor and weights to 8 bits per column is expected to change the outputs least, all of them alike.</summary>
    /// <param name="moments">What calibration saw the layer read.</param>
    public static float[] Find(LayerSite site, Tensor weight, InputMoments moments)
    {
        float[] largest = moments.Largest();
        float least = LeastShare * largest.Max();
        double[] power = [.. moments.Read().SelectMany(b => Enumerable.Range(0, b.Size).Select(i => (double)b.Values[(i * b.Size) + i] / moments.Rows))];
        float[][] candidates =
        [
            .. Strengths.Select(strength => largest.Select(l => least > 0 ? (float)Math.ScaleB(1, (int)Math.Round(strength * Math.Log2(Math.Max(l, least)))) : 1).ToArray()),
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
            float[] own = new float[inputs], scaled = new float[inputs];
            for (int column = 0; column < count; column++)
            {
                ReadOnlySpan<float> values = columns.Slice(column * inputs, inputs);
                TensorPrimitives.MultiplyAdd(values, values, own, own);
                for (int i = 0; i < candidates.Length; i++)
                {
                    TensorPrimitives.Multiply(values, candidates[i], scaled);
                    steps[i][first + column] = TensorPrimitives.MaxMagnitude<float>(scaled) / 127.0;
                }
            }

            lock (rows)
            {
                rows.Add(first, own);
            }
        });
        double[] squares = [.. Enumerable.Range(0, inputs).Select(k => rows.Values.Sum(r => (double)r[k]))];
        int best = Enumerable.Range(0, candidates.Length).MinBy(i =>
        {
            float[] s = candidates[i];
            double range = 0, weighted = 0, moved = 0;
            for (int k = 0; k < inputs; k++)
            {
                range = Math.Max(range, 2.0 * largest[k] / s[k] / 255);
                weighted += (double)s[k] * s[k] * squares[k];
                moved += power[k] / s[k] / s[k];
            }

            return (range * range * weighted) + (steps[i].Sum(step => step * step) * moved);
        });
        return candidates[best];
    }
}
