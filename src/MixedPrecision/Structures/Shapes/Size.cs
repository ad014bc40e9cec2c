using System.Globalization;

namespace MixedPrecision.Structures.Shapes;

/// <summary>
/// A size that is known as a formula: a polynomial of symbols, such as past + sequence, with one canonical text. Symbols are sizes and not negative. Null stands for a size of which
/// nothing is known, and comes out of all arithmetic with one, and of formulas that get too long.
/// </summary>
public sealed class Size : IEquatable<Size>
{
    /// <summary>A formula has no more terms, and no factor beyond what a size can be: models are untrusted, and products of sums grow without end.</summary>
    private const int MostTerms = 32;
    private const long LargestFactor = 1L << 53;
    private const char Separator = '\u001f';

    /// <summary>Factors by product of symbols, none of them 0; the constant's product is empty. A product is its symbols, sorted.</summary>
    private readonly SortedDictionary<string, long> terms = new(StringComparer.Ordinal);

    private Size()
    {
    }

    public static Size Of(long value) => From([("", value)])!;

    public static Size Of(string symbol) => From([(symbol + Separator, 1)])!;

    /// <summary>The value when no symbol is left, else null.</summary>
    public long? Constant => terms.Count == 0 ? 0 : terms.Count == 1 && terms.TryGetValue("", out long value) ? value : null;

    /// <summary>The symbol when the size is one, else null.</summary>
    public string? Symbol => terms.Count == 1 && terms.First() is { Value: 1, Key: { Length: > 1 } product } && SymbolsOf(product) is [var symbol] ? symbol : null;

    /// <summary>The products whose sum it is.</summary>
    public IEnumerable<(long Factor, IReadOnlyList<string> Symbols)> Products => terms.Select(t => (t.Value, (IReadOnlyList<string>)SymbolsOf(t.Key)));

    /// <summary>All symbols in it.</summary>
    public IEnumerable<string> Symbols => terms.Keys.SelectMany(SymbolsOf).Distinct();

    /// <summary>Below zero whatever the sizes.</summary>
    public bool IsNegative => terms.GetValueOrDefault("") < 0 && terms.Values.All(f => f < 0);

    /// <summary>Zero or more whatever the sizes.</summary>
    public bool IsNotNegative => terms.Values.All(f => f > 0);

    public static Size? operator +(Size? a, Size? b) => a is null || b is null ? null : From(a.Terms.Concat(b.Terms));

    public static Size? operator -(Size? a, Size? b) => a is null || b is null ? null : From(a.Terms.Concat(b.Terms.Select(t => (t.Product, -t.Factor))));

    public static Size? operator *(Size? a, Size? b) => a is null || b is null ? null : From(
        from x in a.Terms
        from y in b.Terms
        select (Product(SymbolsOf(x.Product).Concat(SymbolsOf(y.Product))), x.Factor * y.Factor));

    /// <summary>The quotient when the division leaves no rest whatever the sizes, else null. Only by one product, or by an equal formula.</summary>
    public Size? DividedBy(Size? divisor)
    {
        if (divisor is null || divisor.terms.Count != 1)
        {
            return Equals(divisor) && terms.Count > 0 ? Of(1) : null;
        }

        (string product, long factor) = divisor.terms.First();
        var quotient = new List<(string Product, Int128 Factor)>();
        foreach ((string own, long count) in terms)
        {
            List<string> left = [.. SymbolsOf(own)];
            if (count % factor != 0 || !SymbolsOf(product).All(left.Remove))
            {
                return null;
            }

            quotient.Add((Product(left), count / factor));
        }

        return From(quotient);
    }

    /// <summary>The number for given sizes of its symbols, or null where one is not given or the number is no size.</summary>
    public long? At(IReadOnlyDictionary<string, long> symbols)
    {
        double sum = 0;
        foreach ((string product, long factor) in terms)
        {
            string[] own = SymbolsOf(product);
            if (!own.All(symbols.ContainsKey))
            {
                return null;
            }

            sum += own.Aggregate((double)factor, (value, s) => value * symbols[s]);
        }

        return Math.Abs(sum) <= LargestFactor ? (long)sum : null;
    }

    public bool Equals(Size? other) => other is not null && terms.SequenceEqual(other.terms);

    public override bool Equals(object? obj) => Equals(obj as Size);

    public override int GetHashCode() => ToString().GetHashCode(StringComparison.Ordinal);

    public override string ToString() => terms.Count == 0 ? "0" : string.Join(" + ", terms.Select(t =>
        string.Join('·', t.Value == 1 && t.Key.Length > 0 ? SymbolsOf(t.Key) : [t.Value.ToString(CultureInfo.InvariantCulture), .. SymbolsOf(t.Key)])));

    private IEnumerable<(string Product, Int128 Factor)> Terms => terms.Select(t => (t.Key, (Int128)t.Value));

    private static Size? From(IEnumerable<(string Product, Int128 Factor)> terms)
    {
        var size = new Size();
        foreach ((string product, Int128 factor) in terms)
        {
            Int128 sum = size.terms.GetValueOrDefault(product) + factor;
            if (Int128.Abs(sum) > LargestFactor && product.Length > 0 || size.terms.Count > MostTerms)
            {
                return null;
            }

            size.terms[product] = (long)Int128.Clamp(sum, long.MinValue, long.MaxValue);
        }

        foreach (string product in size.terms.Where(t => t.Value == 0).Select(t => t.Key).ToArray())
        {
            size.terms.Remove(product);
        }

        return size;
    }

    private static string[] SymbolsOf(string product) => product.Split(Separator, StringSplitOptions.RemoveEmptyEntries);

    private static string Product(IEnumerable<string> symbols) => string.Concat(symbols.Order(StringComparer.Ordinal).Select(s => s + Separator));
}
