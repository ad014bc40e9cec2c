using CsCheck;
using MixedPrecision.Caching;

namespace MixedPrecision.Tests.Caching;

public sealed class CacheKeyTests
{
    [Fact]
    public void EqualPartsMakeEqualKeys()
    {
        CacheKey one = CacheKey.Of(("stage", "calibrate"), ("loss", "next-token")).With("budget", 0.01).With("samples", 256);
        CacheKey other = CacheKey.Of(("stage", "calibrate"), ("loss", "next-token")).With("budget", 0.01).With("samples", 256);
        Assert.Equal(one.Hex, other.Hex);
    }

    [Fact]
    public void OrderOfPartsMatters() =>
        Assert.NotEqual(CacheKey.Of(("a", "1"), ("b", "2")).Hex, CacheKey.Of(("b", "2"), ("a", "1")).Hex);

    [Fact]
    public void PartsDoNotRunIntoOneAnother()
    {
        string[] keys =
        [
            CacheKey.Of(("a", "bc")).Hex,
            CacheKey.Of(("ab", "c")).Hex,
            CacheKey.Of(("a", "b"), ("c", "")).Hex,
            CacheKey.Of(("a", ""), ("bc", "")).Hex,
            CacheKey.Of(("", "abc")).Hex,
            CacheKey.Of().Hex,
            CacheKey.Of(("", "")).Hex,
            CacheKey.Of(("a", "\ud800")).Hex,
            CacheKey.Of(("a", "\ufffd")).Hex,
        ];
        Assert.Equal(keys.Length, keys.Distinct().Count());
    }

    [Fact]
    public void KindOfPartMatters()
    {
        CacheKey inner = CacheKey.Of(("a", "1"));
        string[] keys =
        [
            CacheKey.Of(("x", inner.Hex)).Hex,
            CacheKey.Of().With("x", inner).Hex,
            CacheKey.Of(("x", "1")).Hex,
            CacheKey.Of().With("x", 1).Hex,
            CacheKey.Of().WithBytes("x", "1"u8).Hex,
            CacheKey.Of(("x", CacheKey.Of().WithBytes("x", "1"u8).Describe()[0].Value)).Hex,
        ];
        Assert.Equal(keys.Length, keys.Distinct().Count());
    }

    [Fact]
    public void AnyTwoDifferentListsOfPartsMakeDifferentKeys()
    {
        Gen<(string, string)[]> parts = Gen.Select(Gen.String["ab"].Array[0, 3], Gen.String["ab"].Array[3])
            .Select((names, values) => names.Distinct().Select((name, index) => (name, values[index])).ToArray());
        Gen.Select(parts, parts).Sample((one, other) =>
            one.SequenceEqual(other) == (CacheKey.Of(one).Hex == CacheKey.Of(other).Hex));
    }

    [Fact]
    public void NumbersKeepEveryBit()
    {
        Assert.NotEqual(CacheKey.Of().With("x", 0.1).Hex, CacheKey.Of().With("x", Math.BitIncrement(0.1)).Hex);
        Assert.Equal("0.1", CacheKey.Of().With("x", 0.1).Describe()[0].Value);
    }

    [Fact]
    public void DescribesItsPartsInOrder() =>
        Assert.Equal([("stage", "solve"), ("budget", "0.01")], CacheKey.Of(("stage", "solve")).With("budget", 0.01).Describe());

    [Fact]
    public void NameOccursOnce() => Assert.Throws<ArgumentException>(() => CacheKey.Of(("a", "1"), ("a", "2")));
}
