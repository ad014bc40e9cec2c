using MixedPrecision.Onnx;

namespace MixedPrecision.Formats;

/// <summary>The values that a weight may take within a block: scale · v, v whole, least ≤ v ≤ most.</summary>
internal readonly record struct GridStep(float Scale, short Least, short Most);

/// <summary>The grids that a format rounds the columns of a weight to.</summary>
/// <param name="Block">Inputs that share a grid.</param>
/// <param name="StepOf">The grid of a block by its values, as rounding to the nearest value takes it.</param>
/// <param name="LargestPair">The largest magnitude that the sum of two values of one sign at inputs 2i and 2i + 1 may have, or null.</param>
internal sealed record WeightGrid(int Block, WeightGrid.StepFunction StepOf, int? LargestPair = null)
{
    public delegate GridStep StepFunction(ReadOnlySpan<float> values);

    public delegate void ColumnAction(int column, ReadOnlySpan<GridStep> steps, ReadOnlySpan<short> values);

    public int Blocks(int inputs) => (inputs + Block - 1) / Block;

    /// <summary>Rounds a weight with what calibration saw. Columns come on several threads and in no order.</summary>
    public void Round(LayerSite site, Tensor weight, InputMoments moments, ColumnAction action)
    {
        Compensation compensation = moments.Compensation();
        int inputs = site.InputSize, blocks = Blocks(inputs);
        site.ForEachTile(weight, (first, count, columns) =>
        {
            var steps = new GridStep[count * blocks];
            var values = new short[count * inputs];
            for (int place = 0; place < steps.Length; place++)
            {
                int start = place % blocks * Block;
                steps[place] = StepOf(columns.Slice((place / blocks * inputs) + start, Math.Min(Block, inputs - start)));
            }

            compensation.Round(columns, count, this, steps, values);
            for (int column = 0; column < count; column++)
            {
                action(first + column, steps.AsSpan(column * blocks, blocks), values.AsSpan(column * inputs, inputs));
            }
        });
    }

    /// <summary>The value nearest to a number that is allowed at an input, the others of the column being what they are.</summary>
    public short Nearest(float number, GridStep step, ReadOnlySpan<short> column, int input)
    {
        int least = step.Least, most = step.Most;
        if (LargestPair is int limit && (input ^ 1) is int partner && partner < column.Length)
        {
            most = Math.Min(most, limit - Math.Max(column[partner], (short)0));
            least = Math.Max(least, -limit - Math.Min(column[partner], (short)0));
        }

        return (short)Math.Clamp(MathF.Round(number / step.Scale), least, most);
    }
}
