using System.Numerics.Tensors;

namespace MixedPrecision.Benchmarks.Preparing;

/// <summary>How the trial rounds.</summary>
/// <param name="Clips">Whether scales are searched that minimize the squared error, weighted by the diagonal of the Hessian.</param>
/// <param name="Compensates">Whether the error of a value is made up for by those that follow (GPTQ).</param>
/// <param name="Sweeps">Sweeps of coordinate descent after it.</param>
/// <param name="FitsScales">Whether scales are fitted by least squares after that, and values rounded once more.</param>
/// <param name="Damping">Added to the diagonal, as a share of its mean.</param>
/// <param name="Orders">Whether values go in falling order of the Hessian's diagonal.</param>
internal sealed record RoundingOptions(bool Clips = false, bool Compensates = false, int Sweeps = 0, bool FitsScales = false, double Damping = 0.01, bool Orders = false, int Fits = 2);

/// <summary>Rounding of rows w to a grid so that Σ (ŵ − w)ᵀ H (ŵ − w) is small.</summary>
internal static class TrialRounding
{
    /// <param name="hessianOf">By row, the index of its Hessian.</param>
    public static (sbyte[] Values, float[] Scales) Round(Grid grid, float[] rows, int inputs, double[][] hessians, Func<int, int> hessianOf, RoundingOptions options)
    {
        int outputs = rows.Length / inputs, block = grid.Block == 0 ? inputs : grid.Block, blocks = (inputs + block - 1) / block;
        var scales = new float[outputs * blocks];
        var values = new sbyte[rows.Length];
        int[][] orders = new int[hessians.Length][];
        float[][] damped = new float[hessians.Length][], feedback = new float[hessians.Length][];
        for (int h = 0; h < hessians.Length; h++)
        {
            double[] own = Damped(hessians[h], inputs, options.Damping);
            orders[h] = [.. Enumerable.Range(0, inputs)];
            if (options.Orders)
            {
                orders[h] = [.. orders[h].OrderByDescending(k => own[((long)k * inputs) + k])];
            }

            damped[h] = [.. own.Select(v => (float)v)];
            feedback[h] = options.Compensates ? Feedback(own, inputs, orders[h]) : [];
        }

        Parallel.For(0, outputs, row =>
        {
            int which = hessianOf(row);
            float[] hessian = damped[which];
            ReadOnlySpan<float> weights = rows.AsSpan(row * inputs, inputs);
            Span<float> own = scales.AsSpan(row * blocks, blocks);
            for (int b = 0; b < blocks; b++)
            {
                ReadOnlySpan<float> part = weights.Slice(b * block, Math.Min(block, inputs - (b * block)));
                float[] importance = new float[part.Length];
                for (int k = 0; k < part.Length; k++)
                {
                    int index = (b * block) + k;
                    importance[k] = hessian[(index * inputs) + index];
                }

                own[b] = options.Clips ? Search(grid, part, importance) : grid.Scale(part);
            }

            Span<sbyte> rounded = values.AsSpan(row * inputs, inputs);
            if (options.Compensates)
            {
                Compensate(grid, weights, own, block, feedback[which], orders[which], rounded);
            }
            else
            {
                for (int k = 0; k < inputs; k++)
                {
                    rounded[k] = Nearest(grid, weights[k], own[k / block], rounded, k);
                }
            }

            if (options.Sweeps > 0)
            {
                Descend(grid, weights, own, block, hessian, rounded, options.Sweeps);
            }

            for (int i = 0; options.FitsScales && i < options.Fits; i++)
            {
                if (Fit(weights, own, block, hessian, rounded))
                {
                    Descend(grid, weights, own, block, hessian, rounded, Math.Max(1, options.Sweeps));
                }
            }
        });
        return (values, scales);
    }

    private static sbyte Nearest(Grid grid, float value, float scale, ReadOnlySpan<sbyte> rounded, int k)
    {
        int least = grid.Least, most = grid.Most;
        if (grid.Block == 0 && rounded.Length > 1)
        {
            // Pairs may not pass 128: see int8-dynamic.
            int other = (k ^ 1) < rounded.Length ? rounded[k ^ 1] : 0;
            most = Math.Min(most, 128 - Math.Max(other, 0));
            least = Math.Max(least, -128 - Math.Min(other, 0));
        }

        return (sbyte)Math.Clamp(MathF.Round(value / scale), least, most);
    }

    private static double[] Damped(double[] hessian, int inputs, double damping)
    {
        double[] result = [.. hessian];
        double mean = 0;
        for (int k = 0; k < inputs; k++)
        {
            mean += result[((long)k * inputs) + k] / inputs;
        }

        for (int k = 0; k < inputs; k++)
        {
            result[((long)k * inputs) + k] += (damping * mean) + double.Epsilon;
        }

        return result;
    }

    /// <summary>Rows of U / diag(U), where H⁻¹ = UᵀU, U upper triangular, in the given order.</summary>
    private static float[] Feedback(double[] hessian, int n, int[] order)
    {
        // H in reverse order = L Lᵀ; so H = R Rᵀ with R upper triangular, and U = R⁻¹.
        var factor = new double[n][];
        for (int i = 0; i < n; i++)
        {
            factor[i] = new double[i + 1];
        }

        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double sum = hessian[((long)order[n - 1 - i] * n) + order[n - 1 - j]] - TensorPrimitives.Dot<double>(factor[i].AsSpan(0, j), factor[j].AsSpan(0, j));
                factor[i][j] = i == j ? Math.Sqrt(Math.Max(sum, 1e-300)) : sum / factor[j][j];
            }
        }

        // Inverse of L, row by row: M[i] = (e_i − Σ_j<i L[i][j] M[j]) / L[i][i].
        var inverse = new double[n][];
        for (int i = 0; i < n; i++)
        {
            inverse[i] = new double[i + 1];
            for (int j = 0; j < i; j++)
            {
                TensorPrimitives.MultiplyAdd(inverse[j], -factor[i][j], inverse[i].AsSpan(0, j + 1), inverse[i].AsSpan(0, j + 1));
            }

            inverse[i][i] += 1;
            TensorPrimitives.Divide(inverse[i], factor[i][i], inverse[i]);
        }

        // R = P L P, so U = P M P: U[a][b] = M[n−1−a][n−1−b] for b ≥ a.
        var result = new float[n * n];
        for (int a = 0; a < n; a++)
        {
            double diagonal = inverse[n - 1 - a][n - 1 - a];
            for (int b = a; b < n; b++)
            {
                result[(a * n) + b] = (float)(inverse[n - 1 - a][n - 1 - b] / diagonal);
            }
        }

        return result;
    }

    private static void Compensate(Grid grid, ReadOnlySpan<float> weights, ReadOnlySpan<float> scales, int block, float[] feedback, int[] order, Span<sbyte> rounded)
    {
        int inputs = weights.Length;
        var open = new float[inputs];
        for (int i = 0; i < inputs; i++)
        {
            open[i] = weights[order[i]];
        }

        for (int i = 0; i < inputs; i++)
        {
            float scale = scales[order[i] / block];
            sbyte value = Nearest(grid, open[i], scale, rounded, order[i]);
            rounded[order[i]] = value;
            float error = open[i] - (value * scale);
            Span<float> rest = open.AsSpan(i + 1);
            TensorPrimitives.MultiplyAdd(feedback.AsSpan((i * inputs) + i + 1, rest.Length), -error, rest, rest);
        }
    }

    private static void Descend(Grid grid, ReadOnlySpan<float> weights, ReadOnlySpan<float> scales, int block, float[] hessian, Span<sbyte> rounded, int sweeps)
    {
        int inputs = weights.Length;
        var errors = new float[inputs];
        var slope = new float[inputs];
        for (int k = 0; k < inputs; k++)
        {
            errors[k] = (rounded[k] * scales[k / block]) - weights[k];
        }

        for (int k = 0; k < inputs; k++)
        {
            TensorPrimitives.MultiplyAdd(hessian.AsSpan(k * inputs, inputs), errors[k], slope, slope);
        }

        for (int sweep = 0; sweep < sweeps; sweep++)
        {
            bool changed = false;
            for (int k = 0; k < inputs; k++)
            {
                float scale = scales[k / block], wanted = (rounded[k] * scale) - (slope[k] / hessian[(k * inputs) + k]);
                sbyte value = Nearest(grid, wanted, scale, rounded, k);
                if (value != rounded[k])
                {
                    float change = (value - rounded[k]) * scale;
                    rounded[k] = value;
                    TensorPrimitives.MultiplyAdd(hessian.AsSpan(k * inputs, inputs), change, slope, slope);
                    changed = true;
                }
            }

            if (!changed)
            {
                break;
            }
        }
    }

    /// <summary>Scales of a row that minimize its error for given integers.</summary>
    private static bool Fit(ReadOnlySpan<float> weights, Span<float> scales, int block, float[] hessian, ReadOnlySpan<sbyte> rounded)
    {
        int inputs = weights.Length, blocks = scales.Length;
        var matrix = new double[blocks, blocks + 1];
        var applied = new float[inputs];
        var values = new float[inputs];
        for (int k = 0; k < inputs; k++)
        {
            values[k] = rounded[k];
        }

        for (int b = 0; b < blocks; b++)
        {
            Array.Clear(applied);
            int first = b * block, length = Math.Min(block, inputs - first);
            for (int k = first; k < first + length; k++)
            {
                TensorPrimitives.MultiplyAdd(hessian.AsSpan(k * inputs, inputs), values[k], applied, applied);
            }

            for (int c = 0; c < blocks; c++)
            {
                int start = c * block, count = Math.Min(block, inputs - start);
                matrix[b, c] = TensorPrimitives.Dot<float>(applied.AsSpan(start, count), values.AsSpan(start, count));
            }

            matrix[b, blocks] = TensorPrimitives.Dot(applied, weights);
        }

        for (int i = 0; i < blocks; i++)
        {
            if (matrix[i, i] < 1e-30)
            {
                return false;
            }

            for (int j = i + 1; j < blocks; j++)
            {
                double ratio = matrix[j, i] / matrix[i, i];
                for (int c = i; c <= blocks; c++)
                {
                    matrix[j, c] -= ratio * matrix[i, c];
                }
            }
        }

        var solution = new double[blocks];
        for (int i = blocks - 1; i >= 0; i--)
        {
            double sum = matrix[i, blocks];
            for (int c = i + 1; c < blocks; c++)
            {
                sum -= matrix[i, c] * solution[c];
            }

            solution[i] = sum / matrix[i, i];
        }

        for (int b = 0; b < blocks; b++)
        {
            double ratio = solution[b] / scales[b];
            if (ratio is > 0.7 and < 1.3)
            {
                scales[b] = (float)solution[b];
            }
        }

        return true;
    }

    private static float Search(Grid grid, ReadOnlySpan<float> part, float[] importance)
    {
        float plain = grid.Scale(part), best = plain;
        double least = double.PositiveInfinity;
        int signs = grid.Block == 0 ? 1 : 2;
        for (int sign = 0; sign < signs; sign++)
        {
            for (int step = 0; step <= 30; step++)
            {
                float scale = plain * (1 - (step * 0.02f)) * (sign == 0 ? 1 : -1);
                double error = 0;
                for (int k = 0; k < part.Length; k++)
                {
                    float difference = (Math.Clamp(MathF.Round(part[k] / scale), grid.Least, grid.Most) * scale) - part[k];
                    error += importance[k] * difference * difference;
                }

                if (error < least)
                {
                    (least, best) = (error, scale);
                }
            }
        }

        return best;
    }
}
