using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>
/// The gradient of a table by those of its rows that a sample looks up: ẇᵣ = Σ ẏₜ over the places t with the index r, since a row is rounded once wherever it is read. All other rows
/// have none, so that nothing of the table's size is needed.
/// </summary>
internal static class EmbeddingGradient
{
    /// <param name="indices">Indices of rows, 32 or 64 bits; negative ones count from the end.</param>
    /// <param name="gradient">ẏ, the indices' shape and the table's width.</param>
    /// <param name="add">Takes ẇ of one row, and the row's number.</param>
    public static void Add(LayerSite site, Tensor indices, Tensor gradient, Action<ReadOnlySpan<float>, int> add)
    {
        int width = site.InputSize, rows = site.OutputSize;
        var sums = new SortedDictionary<int, float[]>();
        ReadOnlySpan<float> upstream = gradient.Values<float>();
        for (int place = 0; place < indices.Count; place++)
        {
            long index = indices.ElementType == ElementType.Int32 ? indices.Values<int>()[place] : indices.Values<long>()[place];
            int row = (int)(index < 0 ? index + rows : index);
            if (!sums.TryGetValue(row, out float[]? sum))
            {
                sums.Add(row, sum = new float[width]);
            }

            TensorPrimitives.Add(sum, upstream.Slice(place * width, width), sum);
        }

        foreach ((int row, float[] sum) in sums)
        {
            add(sum, row);
        }
    }
}
