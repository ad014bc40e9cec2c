using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Formats;

/// <summary>
/// LSTM in 8 bits in double precision, from the format's own words: x in one range over all steps, h in a range of its own in each step, weights by column; gates and states are not rounded. All of a batch shares a range, as one thread has it.
/// </summary>
internal sealed class RecurrentReference(RecurrentCase c, Func<double[], double[]> x, Func<double[], double[]> h, Func<int, double[]> w, Func<int, double[]> r)
{
    private readonly int[] lengths = c.Lengths ?? [.. Enumerable.Repeat(c.Steps, c.Batch)];
    private readonly double[]?[] constants = [.. c.Constants.Select((t, i) => t is null || i == 3 ? null : Doubles(t))];

    /// <summary>In the format.</summary>
    /// <param name="quantized">W and R by column, as the format holds them.</param>
    public static Dictionary<char, double[]> InFormat(RecurrentCase c, double[][] quantized) => new RecurrentReference(c, Rounded, Rounded, _ => quantized[0], _ => quantized[1]).Run();

    /// <summary>As the operator is.</summary>
    public static Dictionary<char, double[]> Exact(RecurrentCase c) => new RecurrentReference(c, v => v, v => v, _ => Doubles(c.Constants[0]!), _ => Doubles(c.Constants[1]!)).Run();

    public static double[] Doubles(Tensor tensor) => [.. tensor.Values<float>().ToArray().Select(v => (double)v)];

    /// <summary>Unsigned, over a range that holds zero, as ONNX DynamicQuantizeLinear-11 says; scale and quotient in single precision, as kernels have them.</summary>
    private static double[] Rounded(double[] values)
    {
        float low = MathF.Min(0, (float)values.Min()), high = MathF.Max(0, (float)values.Max());
        float scale = high == low ? 1 : (high - low) / 255;
        float zero = MathF.Round(Math.Clamp(0 - (low / scale), 0, 255), MidpointRounding.ToEven);
        return [.. values.Select(v => (double)(Math.Clamp(MathF.Round((float)v / scale, MidpointRounding.ToEven) + zero, 0, 255) - zero) * scale)];
    }

    private Dictionary<char, double[]> Run()
    {
        int hidden = c.Hidden, longest = lengths.Max();
        double[] y = new double[c.Steps * c.Directions * c.Batch * hidden], last = new double[c.Directions * c.Batch * hidden], cells = new double[c.Directions * c.Batch * hidden];

        // What lies beyond the longest sequence is not read.
        double[] input = x([.. Doubles(c.X).Take(longest * c.Batch * c.Inputs)]);
        for (int direction = 0; direction < c.Directions; direction++)
        {
            bool isReverse = c.Direction == "reverse" || direction == 1;
            double[] state = [.. State(4, direction)], cell = [.. State(5, direction)], fed = [.. state];
            for (int step = 0; step < longest; step++)
            {
                double[] before = h(fed);
                for (int row = 0; row < c.Batch; row++)
                {
                    if (step >= lengths[row])
                    {
                        Array.Clear(fed, row * hidden, hidden);
                        continue;
                    }

                    int place = isReverse ? lengths[row] - 1 - step : step;
                    Cell(direction, input.AsSpan(((place * c.Batch) + row) * c.Inputs, c.Inputs), before.AsSpan(row * hidden, hidden), cell.AsSpan(row * hidden, hidden), state.AsSpan(row * hidden, hidden));
                    state.AsSpan(row * hidden, hidden).CopyTo(y.AsSpan(((((place * c.Directions) + direction) * c.Batch) + row) * hidden));
                    state.AsSpan(row * hidden, hidden).CopyTo(fed.AsSpan(row * hidden));
                }
            }

            state.CopyTo(last, direction * c.Batch * hidden);
            cell.CopyTo(cells, direction * c.Batch * hidden);
        }

        return new() { ['Y'] = y, ['H'] = last, ['C'] = cells };
    }

    private ReadOnlySpan<double> State(int place, int direction) => constants[place] is { } given ? given.AsSpan(direction * c.Batch * c.Hidden, c.Batch * c.Hidden) : new double[c.Batch * c.Hidden];

    /// <summary>Gates i, o, f, c; peepholes i, o, f (ONNX LSTM-14).</summary>
    private void Cell(int direction, ReadOnlySpan<double> input, ReadOnlySpan<double> before, Span<double> cell, Span<double> state)
    {
        string[] functions = c.Activations ?? ["Sigmoid", "Tanh", "Tanh"];
        int hidden = c.Hidden;
        for (int unit = 0; unit < hidden; unit++)
        {
            double[] gates = new double[4];
            for (int gate = 0; gate < 4; gate++)
            {
                int column = (direction * 4 * hidden) + (gate * hidden) + unit;
                gates[gate] = Dot(w(column), column, input) + Dot(r(column), column, before);
                if (constants[2] is { } bias)
                {
                    int first = (direction * 8 * hidden) + (gate * hidden) + unit;
                    gates[gate] += bias[first] + bias[first + (4 * hidden)];
                }
            }

            double Peephole(int place) => constants[6] is { } peepholes ? peepholes[(direction * 3 * hidden) + (place * hidden) + unit] : 0;
            double Cut(double value) => c.Clip > 0 ? Math.Clamp(value, -c.Clip, c.Clip) : value;
            double old = cell[unit];
            double i = Apply(functions[0], Cut(gates[0] + (Peephole(0) * old)));
            double f = c.InputForget ? 1 - i : Apply(functions[0], Cut(gates[2] + (Peephole(2) * old)));
            cell[unit] = (f * old) + (i * Apply(functions[1], Cut(gates[3])));
            state[unit] = Apply(functions[0], Cut(gates[1] + (Peephole(1) * cell[unit]))) * Apply(functions[2], cell[unit]);
        }
    }

    private static double Dot(double[] weight, int column, ReadOnlySpan<double> values)
    {
        double sum = 0;
        for (int i = 0; i < values.Length; i++)
        {
            sum += weight[(column * values.Length) + i] * values[i];
        }

        return sum;
    }

    private static double Apply(string function, double value) => function switch
    {
        "Sigmoid" => 1 / (1 + Math.Exp(-value)),
        "Tanh" => Math.Tanh(value),
        "Relu" => Math.Max(value, 0),
        "HardSigmoid" => Math.Clamp((0.2 * value) + 0.5, 0, 1),
        _ => throw new ArgumentException(function),
    };
}
