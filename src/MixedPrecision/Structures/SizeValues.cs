using MixedPrecision.Onnx;
using MixedPrecision.Structures.Shapes;

namespace MixedPrecision.Structures;

/// <summary>The sizes of an attention at run time, as vectors of one int64; each made once for a model, of what is at hand.</summary>
/// <param name="query">Queries, [batch, rows, ..].</param>
/// <param name="past">Keys of rows before, [batch, heads, past, size], or null.</param>
internal sealed class SizeValues(StructureEmission emission, ScoreSizes sizes, string query, string? past)
{
    public GraphBuilder Builder => emission.Builder;

    public string Batch => Of(sizes.Batch)!;

    public string Rows => Of(sizes.Rows)!;

    public string Past => Of(sizes.Past)!;

    public string Total => Of(sizes.Total)!;

    /// <summary>Whether <see cref="Of"/> has a value for a size.</summary>
    public static bool Has(ScoreSizes sizes, Size size) => size.Symbols.All(s => s == sizes.Batch.Symbol || s == sizes.Rows.Symbol || s == sizes.Past.Symbol);

    /// <summary>A size that is a formula of these.</summary>
    public string Of(Size size) => Made($"size {size} of {sizes}", b =>
    {
        if (size.Constant is long constant)
        {
            return b.Integers(constant);
        }

        if (size.Equals(sizes.Batch) || size.Equals(sizes.Rows))
        {
            return b.Gather(Made($"shape of {sizes}", inner => inner.Shape(query)), b.Integers(size.Equals(sizes.Batch) ? 0 : 1), 0);
        }

        if (size.Equals(sizes.Past))
        {
            return b.Gather(b.Shape(past!), b.Integers(2), 0);
        }

        return size.Products.Select(p => p.Symbols.Select(s => Of(Size.Of(s))).Concat(p.Factor == 1 && p.Symbols.Count > 0 ? [] : [b.Integers(p.Factor)]).Aggregate(b.Mul)).Aggregate(b.Add);
    });

    /// <summary>Length of each sequence less one, and of all sequences, as the kernel wants them.</summary>
    public (string Each, string All) Lengths()
    {
        if (sizes.Total.Constant is long total)
        {
            string each = sizes.Batch.Constant is long batch
                ? emission.Constant(Tensor.Of<int>([.. Enumerable.Repeat((int)total - 1, (int)batch)], batch), "lengths")
                : Made($"lengths of {sizes}", b => b.Expand(b.Scalar(total - 1, ElementType.Int32), Batch));
            return (each, emission.Constant(Tensor.Scalar((int)total), "length"));
        }

        string all = Made($"length of {sizes}", b => b.Cast(Total, ElementType.Int32));
        return (Made($"lengths of {sizes}", b => b.Expand(b.Sub(all, b.Scalar(1, ElementType.Int32)), Batch)), all);
    }

    /// <summary>Whether there is one sequence, one row or no past: (batch − 1)·(rows − 1)·past = 0.</summary>
    public string IsSimple() => Made($"simple {sizes}", b =>
    {
        string one = b.Integers(1);
        return b.Equal(b.Mul(b.Mul(b.Sub(Batch, one), b.Sub(Rows, one)), Past), b.Integers(0));
    });

    /// <summary>A value that is made once for a model.</summary>
    public string Made(string name, Func<GraphBuilder, string> make)
    {
        if (!emission.Shared.TryGetValue(name, out string[]? known))
        {
            string made = make(emission.Builder);
            emission.Shared.Add(name, known = [made]);
        }

        return known[0];
    }
}
