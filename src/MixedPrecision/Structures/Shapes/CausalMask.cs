using MixedPrecision.Onnx;

namespace MixedPrecision.Structures.Shapes;

/// <summary>How a mask is applied to scores.</summary>
public enum MaskForm
{
    /// <summary>Added to the scores.</summary>
    Added,

    /// <summary>A condition: where true the scores stay, elsewhere they are a large negative number.</summary>
    Keeps,

    /// <summary>A condition: where true the scores become a large negative number.</summary>
    Hides,
}

/// <summary>Sizes of an attention's scores [batch, heads, rows, past + rows], as formulas.</summary>
public sealed record ScoreSizes(Size Batch, Size Heads, Size Rows, Size Past)
{
    public Size Total => (Past + Rows)!;
}

/// <summary>
/// Whether a mask is causal: row i may see the past and rows 0 to i, and nothing else hides or weighs a score. It is computed for a grid of sizes, for sizes around every constant that enters (a
/// window or the size of a table shows there), and for several values of the inputs that it depends on; what then holds for all of them is taken to hold.
/// </summary>
public static class CausalMask
{
    /// <summary>What hides a score has to be this far below 0: e to this power is 0 in float.</summary>
    public const double Hidden = -10000;

    private const int LargestRows = 4097;
    private const int LargestTotal = 1 << 17;

    private static readonly (long Batch, long Rows, long Past)[] Grid =
        [(1, 1, 0), (1, 1, 1), (1, 1, 16), (3, 1, 5), (1, 7, 0), (1, 7, 16), (3, 7, 1), (2, 33, 0), (1, 33, 16)];

    public static bool Holds(Computation mask, MaskForm form, ScoreSizes sizes)
    {
        (long Batch, long Rows, long Past)[] all = [.. Grid, .. AroundConstants(mask, sizes)];
        var tried = new HashSet<string>();
        int runs = 0;
        foreach ((long batch, long rows, long past) in all)
        {
            // Sizes that are fixed take what they are fixed to.
            if (Symbols(mask, sizes, batch, rows, past) is not { } symbols)
            {
                return false;
            }

            (long b, long r, long p) = (sizes.Batch.At(symbols) ?? 1, sizes.Rows.At(symbols) ?? 1, sizes.Past.At(symbols) ?? 0);
            if (!tried.Add($"{b} {r} {p}"))
            {
                continue;
            }

            if (r > LargestRows || r * (p + r) > (long)LargestRows * LargestRows)
            {
                return false;
            }

            foreach (Func<TensorType, long[], Tensor> draw in mask.IsOfSizesAlone ? Draws.Take(1) : Draws)
            {
                if (mask.Run(symbols, draw) is not { } value || !IsCausal(value, form, b, r, p))
                {
                    return false;
                }

                runs++;
            }
        }

        return runs > 0;
    }

    /// <summary>Numbers for all symbols: those of the scores' sizes as wanted, every other one as many as all rows there are.</summary>
    public static Dictionary<string, long>? Symbols(Computation computation, ScoreSizes sizes, long batch, long rows, long past)
    {
        var symbols = new Dictionary<string, long>();
        foreach ((Size size, long wanted) in new[] { (sizes.Batch, batch), (sizes.Rows, rows), (sizes.Past, past) })
        {
            if (size.Symbol is string symbol)
            {
                symbols.TryAdd(symbol, wanted);
            }
            else if (size.Constant is null)
            {
                return null;
            }
        }

        long total = sizes.Total.At(symbols) ?? rows;
        foreach (string other in computation.Symbols)
        {
            symbols.TryAdd(other, total);
        }

        return symbols;
    }

    /// <summary>Values that inputs are tried with: ones, positions in a row, and nothing but the last element.</summary>
    public static readonly IReadOnlyList<Func<TensorType, long[], Tensor>> Draws =
    [
        (type, shape) => Make(type, shape, (_, _) => 1),
        (type, shape) => Make(type, shape, (at, _) => at),
        (type, shape) => Make(type, shape, (at, length) => at == length - 1 ? 1 : 0),
    ];

    private static IEnumerable<(long, long, long)> AroundConstants(Computation mask, ScoreSizes sizes)
    {
        IEnumerable<long> constants = mask.Constants.SelectMany(c => c.Rank >= 2 ? c.Shape
            : c.Count > SymbolicShapes.MostElements ? []
            : c.ElementType == ElementType.Int64 ? c.Values<long>().ToArray()
            : c.ElementType == ElementType.Int32 ? c.Values<int>().ToArray().Select(v => (long)v)
            : c.ElementType == ElementType.Float ? c.Values<float>().ToArray().Where(float.IsInteger).Where(v => Math.Abs(v) < LargestTotal).Select(v => (long)v)
            : []);
        foreach (long constant in constants.Where(c => c is > 1 and < LargestTotal).Distinct().Order())
        {
            // A table ends with its size, and a window begins behind it.
            bool isTable = mask.Constants.Any(c => c.Rank >= 2 && c.Shape.Contains(constant));
            foreach (long total in isTable ? [constant] : new[] { constant, constant + 1, constant + 2 })
            {
                yield return sizes.Past.Constant == 0 ? (1, total, 0) : (1, Math.Min(total, 2), Math.Max(0, total - 2));
            }
        }
    }

    /// <summary>Whether a mask, broadcast over [batch, heads, rows, past + rows], is causal for these sizes.</summary>
    private static bool IsCausal(Tensor mask, MaskForm form, long batch, long rows, long past)
    {
        long total = past + rows;
        long[] shape = [.. Enumerable.Repeat(1L, Math.Max(0, 4 - mask.Rank)), .. mask.Shape];
        if (shape.Length != 4 || (shape[0] != 1 && shape[0] != batch) || (shape[2] != 1 && shape[2] != rows) || (shape[3] != 1 && shape[3] != total))
        {
            return false;
        }

        if (form != MaskForm.Added && mask.ElementType != ElementType.Bool)
        {
            throw new ArgumentException("a condition is of type bool");
        }

        for (long plane = 0; plane < shape[0] * shape[1]; plane++)
        {
            for (long row = 0; row < rows; row++)
            {
                int width = (int)shape[3], first = (int)((plane * shape[2]) + (shape[2] == 1 ? 0 : row)) * width;
                long visible = past + row + 1;

                // A row of one element stands for all columns.
                int seen = (int)Math.Min(visible, width), hidden = width == 1 && visible < total ? 1 : width - seen;
                if (!AreSeen(mask, form, first, seen) || !AreHidden(mask, form, first + width - hidden, hidden))
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Whether some elements in a row leave their scores as they are.</summary>
    private static bool AreSeen(Tensor mask, MaskForm form, int first, int count) => form switch
    {
        MaskForm.Added => !mask.Values<float>().Slice(first, count).ContainsAnyExcept(0f),
        MaskForm.Keeps => !mask.Bytes.Span.Slice(first, count).Contains((byte)0),
        _ => !mask.Bytes.Span.Slice(first, count).ContainsAnyExcept((byte)0),
    };

    /// <summary>Whether they hide them.</summary>
    private static bool AreHidden(Tensor mask, MaskForm form, int first, int count)
    {
        if (form != MaskForm.Added)
        {
            return AreSeen(mask, form == MaskForm.Keeps ? MaskForm.Hides : MaskForm.Keeps, first, count);
        }

        foreach (float value in mask.Values<float>().Slice(first, count))
        {
            if (!(value <= Hidden))
            {
                return false;
            }
        }

        return true;
    }

    private static Tensor Make(TensorType type, long[] shape, Func<long, long, long> at)
    {
        long length = shape.Length == 0 ? 1 : shape[^1], count = Tensor.ElementCount(shape);
        long[] values = [.. Enumerable.Range(0, (int)count).Select(i => at(i % length, length))];
        return type.ElementType switch
        {
            ElementType.Int64 => Tensor.Of<long>(values, shape),
            ElementType.Int32 => Tensor.Of<int>([.. values.Select(v => (int)v)], shape),
            ElementType.Bool => Tensor.Of<bool>([.. values.Select(v => v != 0)], shape),
            _ => Tensor.Of<float>([.. values.Select(v => (float)v)], shape),
        };
    }
}
