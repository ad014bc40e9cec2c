using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration;

/// <summary>Some output columns of a layer with a weight matrix as a layer of their own.</summary>
internal static class ColumnTile
{
    public static LayerSite Of(LayerSite site, int count) => site with
    {
        Layer = site.Layer with
        {
            WeightShape = site.IsWeightTransposed ? [count, site.InputSize] : [site.InputSize, count],
            Parameters = (long)site.InputSize * count,
        },
    };

    public static Tensor OfWeight(LayerSite site, Tensor weight, int first, int count)
    {
        int inputs = site.InputSize, bytes = ElementType.BitsOf(weight.ElementType) / 8;
        return site.IsWeightTransposed
            ? new Tensor(weight.ElementType, [count, inputs], weight.Bytes.Slice(first * inputs * bytes, count * inputs * bytes))
            : new Tensor(weight.ElementType, [inputs, count], Columns(weight.Bytes.Span, inputs, site.OutputSize * bytes, first * bytes, count * bytes));
    }

    /// <summary>A bias of one value per column cut to the columns; one that all columns share stays.</summary>
    public static Tensor OfBias(LayerSite site, Tensor bias, int first, int count)
    {
        if (bias.Rank == 0 || bias.Shape[^1] == 1)
        {
            return bias;
        }

        int rows = (int)(bias.Count / site.OutputSize), bytes = ElementType.BitsOf(bias.ElementType) / 8;
        return new Tensor(bias.ElementType, [.. bias.Shape[..^1], count], Columns(bias.Bytes.Span, rows, site.OutputSize * bytes, first * bytes, count * bytes));
    }

    private static byte[] Columns(ReadOnlySpan<byte> matrix, int rows, int rowBytes, int first, int count)
    {
        var columns = new byte[(long)rows * count];
        for (int row = 0; row < rows; row++)
        {
            matrix.Slice((int)(((long)row * rowBytes) + first), count).CopyTo(columns.AsSpan(row * count, count));
        }

        return columns;
    }
}
