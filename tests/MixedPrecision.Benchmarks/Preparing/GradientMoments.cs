using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Benchmarks.Preparing;

/// <summary>
/// What gradients tell of layers, and the product does without: XᵀDX, D being the mean square of each row's gradients for labels drawn from the model (GuidedQuant, arXiv 2505.07004, with one group of
/// columns), and Σ x for a correction of means.
/// </summary>
internal sealed class GradientMoments
{
    private readonly Dictionary<string, (double[] Weighted, double[] Sum, long Rows)> layers = [];

    /// <summary>As <see cref="Calibration.CalibrationRequest.Observe"/>.</summary>
    public void Observe(int sample, LayerSite site, Tensor input, Tensor gradient, Tensor? drawn)
    {
        if (!site.HasWeightMatrix)
        {
            return;
        }

        int inputs = site.InputSize, outputs = site.OutputSize, rows = (int)(input.Count / inputs);
        double[] weighted = new double[inputs * inputs], sum = new double[inputs];
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<float> x = input.Values<float>().Slice(row * inputs, inputs);
            double square = TensorPrimitives.SumOfSquares((drawn ?? gradient).Values<float>().Slice(row * outputs, outputs));
            for (int i = 0; i < inputs; i++)
            {
                sum[i] += x[i];
                double factor = square * x[i];
                for (int j = i; j < inputs; j++)
                {
                    weighted[(i * inputs) + j] += factor * x[j];
                }
            }
        }

        lock (layers)
        {
            if (layers.TryGetValue(site.Layer.Name, out var known))
            {
                TensorPrimitives.Add(weighted, known.Weighted, weighted);
                TensorPrimitives.Add(sum, known.Sum, sum);
            }

            layers[site.Layer.Name] = (weighted, sum, known.Rows + rows);
        }
    }

    /// <summary>XᵀDX in place of what the product takes.</summary>
    public InputMoments Of(LayerSite site)
    {
        int inputs = site.InputSize;
        (double[] weighted, _, long rows) = layers[site.Layer.Name];
        double scale = rows / Enumerable.Range(0, inputs).Sum(i => weighted[(i * inputs) + i]);
        float[] values =
        [
            .. new float[inputs],
            .. from i in Enumerable.Range(0, inputs)
               from j in Enumerable.Range(i, inputs - i)
               select (float)(weighted[(i * inputs) + j] * scale),
        ];
        return new InputMoments(inputs, rows, inputs, $"gradients of {site.Layer.Name}", () => values);
    }

    /// <summary>E[x], [K].</summary>
    public double[] Mean(LayerSite site) => [.. layers[site.Layer.Name].Sum.Select(s => s / layers[site.Layer.Name].Rows)];
}
