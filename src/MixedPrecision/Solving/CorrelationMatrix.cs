namespace MixedPrecision.Solving;

/// <summary>Correlations, about zero, between rows of samples.</summary>
internal static class CorrelationMatrix
{
    /// <summary>Steps of the bisection: the eigenvalue is found to 1/2^8.</summary>
    private const int Steps = 8;

    /// <summary>
    /// A lower bound of the least eigenvalue, of 0 to 1: what can be taken off the diagonal with the rest still positive semidefinite.
    /// 0 when there are more rows than samples, and above a size at which finding it would take longer than it saves.
    /// </summary>
    public static double LeastEigenvalue(double[][] rows, int samples)
    {
        const int GreatestSize = 600;
        if (rows.Length == 0 || rows.Length > Math.Min(samples, GreatestSize))
            return 0;
        double[][] matrix = Correlate(rows);
        (double low, double high) = (0, 1);
        for (int step = 0; step < Steps; step++)
        {
            double middle = (low + high) / 2;
            if (IsPositiveDefinite(matrix, middle))
                low = middle;
            else
                high = middle;
        }

        return low;
    }

    /// <summary>The lower triangle.</summary>
    private static double[][] Correlate(double[][] rows)
    {
        double[] norms = [.. rows.Select(row => Math.Sqrt(Dot(row, row, row.Length)))];
        return [.. rows.Select((row, i) =>
            Enumerable.Range(0, i + 1).Select(j => Dot(row, rows[j], row.Length) / norms[i] / norms[j]).ToArray())];
    }

    /// <summary>Cholesky decomposition of the matrix less a multiple of the identity; a pivot near rounding errors is none.</summary>
    private static bool IsPositiveDefinite(double[][] matrix, double shift)
    {
        const double LeastPivot = 1e-9;
        double[][] lower = new double[matrix.Length][];
        for (int i = 0; i < matrix.Length; i++)
        {
            lower[i] = [.. matrix[i]];
            for (int j = 0; j < i; j++)
                lower[i][j] = (lower[i][j] - Dot(lower[i], lower[j], j)) / lower[j][j];
            double pivot = lower[i][i] - shift - Dot(lower[i], lower[i], i);
            if (pivot < LeastPivot)
                return false;
            lower[i][i] = Math.Sqrt(pivot);
        }

        return true;
    }

    private static double Dot(double[] one, double[] other, int length) =>
        System.Numerics.Tensors.TensorPrimitives.Dot<double>(one.AsSpan(0, length), other.AsSpan(0, length));
}
