using System.Runtime.InteropServices;
using CsCheck;
using MixedPrecision.Formats;

namespace MixedPrecision.Tests.Formats;

/// <summary>Rounding many values at a time gives what rounding each gives, for all lengths.</summary>
public class RoundingTests
{
    private static readonly Gen<float[]> Values = Gen.Float[-3, 3].Array[1, 100];

    [Fact]
    public void TheRangeHoldsZero() => Values.Sample(values => Assert.Equal((MathF.Min(0, values.Min()), MathF.Max(0, values.Max())), Rounding.Range(values)));

    [Fact]
    public void LargestPairAddsNeighboursOfOneSign() => Values.Sample(values =>
    {
        float largest = values.Chunk(2).Max(pair => MathF.Max(pair.Where(v => v > 0).Sum(), -pair.Where(v => v < 0).Sum()));
        Assert.Equal(largest, Rounding.LargestPair(values));
    });

    [Theory]
    [InlineData(8, 255)]
    [InlineData(128, 255)]
    [InlineData(8, 15)]
    public void UnsignedValuesAreRoundedHalfToEvenAndClamped(int offset, int limit) => Values.Sample(values =>
    {
        var rounded = new byte[values.Length];
        Rounding.ToUnsigned(values, -0.0625f, offset, limit, rounded);
        Assert.Equal(values.Select(v => (byte)Math.Clamp(Math.Round(v / -0.0625) + offset, 0, limit)), rounded);
    });

    [Fact]
    public void SignedValuesAreRoundedHalfToEvenAndClamped() => Values.Sample(values =>
    {
        var rounded = new byte[values.Length];
        Rounding.ToSigned(values, 0.0155f, 127, rounded);
        Assert.Equal(values.Select(v => (sbyte)Math.Clamp(MathF.Round(v / 0.0155f), -127, 127)), MemoryMarshal.Cast<byte, sbyte>(rounded).ToArray());
    });
}
