using System.Numerics.Tensors;

namespace MixedPrecision.Formats;

/// <summary>
/// Rounds columns w of a weight so that their outputs change little on what calibration saw, ΔwᵀHΔw, rather than each value by itself. First value by value, those of largest Σ x² first: each is
/// moved by what makes up for the errors so far, then rounded, scales being those of plain rounding (GPTQ, arXiv 2210.17323, by the factors of LDLQ, arXiv 2307.13304). Then sweeps of coordinate descent: each value by itself, then the scale of its block by least squares. All is computed element by element, so that the result is the
/// same on every processor. H is drawn towards a multiple of the identity as far as the number of rows leaves it in doubt (Oracle Approximating Shrinkage, Chen et al. 2010), by 1 % of its
/// mean diagonal at least: with few rows, what is left is rounding to the nearest value.
/// </summary>
internal sealed class Compensation
{
    private const int Sweeps = 2;

    private readonly IReadOnlyList<Part> parts;

    private Compensation(IReadOnlyList<Part> parts) => this.parts = parts;

    public static Compensation Of(InputMoments moments) => new([.. moments.Read().Select(b => Part.Of(b.Start, b.Size, b.Values, moments.Rows))]);

    /// <summary>Rounds some columns.</summary>
    /// <param name="columns">[count, K].</param>
    /// <param name="steps">Their grids, [count, blocks]; scales are fitted.</param>
    /// <param name="values">What they are rounded to, [count, K].</param>
    public void Round(ReadOnlySpan<float> columns, int count, WeightGrid grid, Span<GridStep> steps, Span<short> values)
    {
        int inputs = columns.Length / count;
        values.Clear();
        var slopes = new float[columns.Length];
        foreach (Part part in parts)
        {
            Compensate(part, columns, inputs, grid, steps, values);
            AddSlopes(part, columns, inputs, grid, steps, values, slopes);
        }

        for (int sweep = 0; sweep < Sweeps; sweep++)
        {
            for (int block = 0; block < grid.Blocks(inputs); block++)
            {
                Descend(block, inputs, grid, steps, values, slopes);
                FitScales(block, inputs, grid, steps, values, slopes);
            }
        }
    }

    private static void Compensate(Part part, ReadOnlySpan<float> columns, int inputs, WeightGrid grid, ReadOnlySpan<GridStep> steps, Span<short> values)
    {
        int count = columns.Length / inputs, blocks = grid.Blocks(inputs), size = part.Size;
        var wanted = new float[count * size];
        for (int column = 0; column < count; column++)
        {
            for (int i = 0; i < size; i++)
            {
                wanted[(column * size) + i] = columns[(column * inputs) + part.Start + part.Order[i]];
            }
        }

        for (int i = 0; i < size; i++)
        {
            int input = part.Start + part.Order[i];
            ReadOnlySpan<float> feedback = part.Feedback.AsSpan((i * size) + i + 1, size - i - 1);
            for (int column = 0; column < count; column++)
            {
                GridStep step = steps[(column * blocks) + (input / grid.Block)];
                Span<short> own = values.Slice(column * inputs, inputs);
                own[input] = grid.Nearest(wanted[(column * size) + i], step, own, input);
                float error = columns[(column * inputs) + input] - (own[input] * step.Scale);
                Span<float> rest = wanted.AsSpan((column * size) + i + 1, feedback.Length);
                TensorPrimitives.MultiplyAdd(feedback, error, rest, rest);
            }
        }
    }

    /// <summary>H(ŵ − w) of each column: half the slope of its error.</summary>
    private static void AddSlopes(
        Part part, ReadOnlySpan<float> columns, int inputs, WeightGrid grid, ReadOnlySpan<GridStep> steps, ReadOnlySpan<short> values, Span<float> slopes)
    {
        int count = columns.Length / inputs, blocks = grid.Blocks(inputs);
        for (int input = part.Start; input < part.End; input++)
        {
            for (int column = 0; column < count; column++)
            {
                int place = (column * inputs) + input;
                float error = (values[place] * steps[(column * blocks) + (input / grid.Block)].Scale) - columns[place];
                part.AddRow(input, error, slopes.Slice(column * inputs, inputs));
            }
        }
    }

    /// <summary>Sets each value of a block to the best there is, one after the other.</summary>
    private void Descend(int block, int inputs, WeightGrid grid, ReadOnlySpan<GridStep> steps, Span<short> values, Span<float> slopes)
    {
        int count = values.Length / inputs, blocks = grid.Blocks(inputs);
        for (int input = block * grid.Block; input < Math.Min((block + 1) * grid.Block, inputs); input++)
        {
            Part part = PartOf(input);
            float curvature = part.Diagonal(input);
            for (int column = 0; column < count; column++)
            {
                GridStep step = steps[(column * blocks) + block];
                Span<short> own = values.Slice(column * inputs, inputs);
                Span<float> slope = slopes.Slice(column * inputs, inputs);
                short best = grid.Nearest((own[input] * step.Scale) - (slope[input] / curvature), step, own, input);
                if (best != own[input])
                {
                    part.AddRow(input, (best - own[input]) * step.Scale, slope);
                    own[input] = best;
                }
            }
        }
    }

    /// <summary>Sets the scale of a block in each column to the best for its values, unless it would change beyond all reason.</summary>
    private void FitScales(int block, int inputs, WeightGrid grid, Span<GridStep> steps, ReadOnlySpan<short> values, Span<float> slopes)
    {
        int count = values.Length / inputs, blocks = grid.Blocks(inputs), first = block * grid.Block, last = Math.Min(first + grid.Block, inputs);
        Part[] touched = [.. parts.Where(p => p.Start < last && p.End > first)];
        int start = touched[0].Start, length = touched[^1].End - start;
        var change = new float[inputs];
        for (int column = 0; column < count; column++)
        {
            ReadOnlySpan<short> own = values.Slice(column * inputs, inputs);
            Span<float> slope = slopes.Slice(column * inputs, inputs);
            change.AsSpan(start, length).Clear();
            double numerator = 0, denominator = 0;
            foreach (Part part in touched)
            {
                for (int input = Math.Max(first, part.Start); input < Math.Min(last, part.End); input++)
                {
                    part.AddRow(input, own[input], change);
                }
            }

            for (int input = first; input < last; input++)
            {
                numerator -= (double)own[input] * slope[input];
                denominator += (double)own[input] * change[input];
            }

            ref GridStep step = ref steps[(column * blocks) + block];
            float scale = (float)(step.Scale + (numerator / denominator)), ratio = scale / step.Scale;
            if (ratio is > 0.5f and < 2)
            {
                Span<float> part = slope.Slice(start, length);
                TensorPrimitives.MultiplyAdd(change.AsSpan(start, length), scale - step.Scale, part, part);
                step = step with { Scale = scale };
            }
        }
    }

    private Part PartOf(int input) => parts[input / parts[0].Size];

    /// <summary>A block of H.</summary>
    /// <param name="Start">Its first input.</param>
    /// <param name="Damped">H + λI, [size, size].</param>
    /// <param name="Order">Its inputs, from <paramref name="Start"/>, in the order in which they are rounded.</param>
    /// <param name="Feedback">In that order, H + λI = (U + I) D (U + I)ᵀ, U strictly upper: what an error of one value adds to those after it.</param>
    private sealed record Part(int Start, int Size, float[] Damped, int[] Order, float[] Feedback)
    {
        /// <summary>What is eliminated at once is divided among threads where it takes longer than dividing it.</summary>
        private const int ManyInputs = 256;
        private const int Chunks = 16;

        private const double LeastDamping = 0.01;
        private const double MostDamping = 100;

        public int End => Start + Size;

        public static Part Of(int start, int size, float[] moments, long rows)
        {
            double trace = 0, squares = 0;
            for (int i = 0; i < size; i++)
            {
                trace += moments[(i * size) + i];
            }

            foreach (float value in moments)
            {
                squares += (double)value * value;
            }

            // Where nothing but zeros was read, every value counts the same.
            double damping = trace > 0 ? DampingOf(size, rows, trace, squares) * trace / size : 1;
            for (int i = 0; i < size; i++)
            {
                moments[(i * size) + i] += (float)damping;
            }

            int[] order = [.. Enumerable.Range(0, size).OrderByDescending(i => moments[(i * size) + i])];
            return new Part(start, size, moments, order, Factor(moments, size, order));
        }

        public float Diagonal(int input) => Damped[((input - Start) * Size) + input - Start];

        /// <summary>Adds a multiple of the row of an input to a column of all inputs.</summary>
        public void AddRow(int input, float factor, Span<float> column)
        {
            Span<float> own = column.Slice(Start, Size);
            TensorPrimitives.MultiplyAdd(Damped.AsSpan((input - Start) * Size, Size), factor, own, own);
        }

        /// <summary>What is added to the diagonal, over its mean, by the trace of H and that of H²: ρ / (1 − ρ) of a shrinkage (1 − ρ)H + ρ·mean·I.</summary>
        private static double DampingOf(int size, long rows, double trace, double squares)
        {
            double spread = squares - (trace * trace / size);
            double shrinkage = (((1 - (2.0 / size)) * squares) + (trace * trace)) / ((rows + 1 - (2.0 / size)) * spread);
            return shrinkage is >= 0 and < 1 ? Math.Clamp(shrinkage / (1 - shrinkage), LeastDamping, MostDamping) : MostDamping;
        }

        private static float[] Factor(float[] matrix, int size, int[] order)
        {
            // The lower triangle, eliminated from the last input on: row i then holds D[i] times column i of U.
            double[][] rows = [.. order.Select((row, i) => order.Take(i + 1).Select(column => (double)matrix[(row * size) + column]).ToArray())];
            for (int i = size - 1; i > 0; i--)
            {
                double[] pivot = rows[i];
                int chunk = (i + Chunks - 1) / Chunks;
                Parallel.For(0, i < ManyInputs ? 1 : Chunks, part =>
                {
                    (int first, int last) = i < ManyInputs ? (0, i) : (part * chunk, Math.Min((part + 1) * chunk, i));
                    for (int j = first; j < last; j++)
                    {
                        TensorPrimitives.MultiplyAdd(pivot.AsSpan(0, j + 1), -pivot[j] / pivot[i], rows[j], rows[j]);
                    }
                });
            }

            var feedback = new float[size * size];
            for (int i = 0; i < size; i++)
            {
                for (int j = 0; j < i; j++)
                {
                    feedback[(j * size) + i] = (float)(rows[i][j] / rows[i][i]);
                }
            }

            return feedback;
        }
    }
}
