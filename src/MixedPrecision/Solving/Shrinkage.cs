using System.Runtime.CompilerServices;

namespace MixedPrecision.Solving;

/// <summary>How far correlations that were estimated from few samples are drawn to zero.</summary>
public static class Shrinkage
{
    /// <summary>
    /// The weight s of 0 to 1 for <see cref="LossModel.Quadratic"/>: off the diagonal, the correlation matrix shrunk to (1 − s) r is
    /// expected to be nearest to the true one, s = Σ Var(r) / Σ r² over all pairs of rows. About zero, not about the mean, as P is.
    /// Source: Schäfer and Strimmer 2005, "A shrinkage approach to large-scale covariance matrix estimation", section 2.4, which makes
    /// Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices", fit for correlations.
    /// </summary>
    /// <param name="deltas">
    /// A row per choice, each with one value per sample; rows that are empty or zero have no correlation and are left out.
    /// </param>
    /// <returns>1 where nothing can be estimated: fewer than two samples. 0 where there is no pair.</returns>
    /// <exception cref="ArgumentException">Rows of differing length.</exception>
    public static double Estimate(IReadOnlyList<double[]> deltas)
    {
        double[][] rows = [.. deltas.Where(row => row.AsSpan().ContainsAnyExcept(0))];
        if (rows.Length < 2)
            return 0;
        int samples = rows[0].Length;
        if (rows.Any(row => row.Length != samples))
            throw new ArgumentException("Rows of differing length.", nameof(deltas));
        if (samples < 2)
            return 1;

        double[][] standard = [.. rows.Select(row => Standardize(row, samples))];
        double variances = 0;
        double squares = 0;
        for (int i = 0; i < standard.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                (double sum, double squaresOfProducts) = Products(standard[i], standard[j]);
                double correlation = sum / samples;
                double spread = squaresOfProducts / samples - correlation * correlation;
                variances += Math.Max(0, spread) / (samples - 1);
                squares += correlation * correlation;
            }
        }

        return squares > 0 ? Math.Min(1, variances / squares) : 1;
    }

    /// <summary>The row over the root of its mean square.</summary>
    private static double[] Standardize(double[] row, int samples)
    {
        // The greatest goes first: squares of very small numbers vanish.
        double greatest = row.Max(Math.Abs);
        double[] scaled = [.. row.Select(value => value / greatest)];
        double root = Math.Sqrt(Products(scaled, scaled).Sum / samples);
        return [.. scaled.Select(value => value / root)];
    }

    /// <summary>The sum of the products of two rows, and that of their squares; in one order on every machine, so that a plan is too, which vectors of one machine's width do not have.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (double Sum, double Squares) Products(double[] a, double[] b)
    {
        double sum = 0, otherSum = 0, squares = 0, otherSquares = 0;
        int i = 0;
        for (; i + 1 < a.Length; i += 2)
        {
            double product = a[i] * b[i], other = a[i + 1] * b[i + 1];
            (sum, squares) = (sum + product, squares + product * product);
            (otherSum, otherSquares) = (otherSum + other, otherSquares + other * other);
        }

        double last = i < a.Length ? a[i] * b[i] : 0;
        return (sum + otherSum + last, squares + otherSquares + last * last);
    }
}
