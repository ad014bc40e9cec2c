using MixedPrecision.Calibration;
using MixedPrecision.Formats;
using MixedPrecision.Tests.Formats;

namespace MixedPrecision.Tests.Calibration;

/// <summary>Sums over samples are the same to the last bit, however the samples are ordered and divided.</summary>
public class MomentSumsTests
{
    private const int Inputs = 70;
    private const int Width = 32;
    private const int Samples = 24;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(24)]
    public void ShardsInAnyOrderMergeToTheSameBits(int shards)
    {
        float[][] samples = Draw();
        MomentSums whole = Sum(samples);
        int[] order = [.. Enumerable.Range(0, Samples)];
        for (int seed = 0; seed < 5; seed++)
        {
            new Random(seed).Shuffle(order);
            MomentSums[] parts = [.. Enumerable.Range(0, shards).Select(shard => Sum([.. order.Where((_, i) => i % shards == shard).Select(i => samples[i])]))];
            new Random(seed + 100).Shuffle(parts);
            var merged = new MomentSums(Inputs, Width);
            Array.ForEach(parts, merged.Add);
            Assert.Equal(whole.Total(), merged.Total());
            Assert.Equal((whole.Samples, whole.Rows, whole.HashOf(whole.Total())), (merged.Samples, merged.Rows, merged.HashOf(merged.Total())));
        }
    }

    /// <summary>Samples differ in size by 2¹²⁰, so that the small ones lie below every digit of the large ones.</summary>
    [Fact]
    public void TheSumsAreThoseOfTheSamples()
    {
        float[][] samples = Draw();
        Assert.Equal(Enumerable.Range(0, Inputs).Select(i => samples.Max(s => Largest(s)[i])), Sum(samples).Total()[..Inputs]);
        float[] total = Sum(samples).Total()[Inputs..];
        double[] wanted = [.. Enumerable.Range(0, total.Length).Select(i => samples.Sum(s => (double)s[i]))];
        double largest = wanted.Max(Math.Abs);
        Assert.All(total.Zip(wanted), t => Assert.InRange(Math.Abs(t.First - t.Second) / largest, 0, 2e-7));
        float[][] small = [.. samples.Where(s => s.Max(Math.Abs) < 1e-10)];
        Assert.NotEmpty(small);
        double[] exact = [.. Enumerable.Range(0, total.Length).Select(i => small.Sum(s => (double)s[i]))];
        Assert.All(Sum(small).Total()[Inputs..].Zip(exact), t => Assert.InRange(Math.Abs(t.First - t.Second) / exact.Max(Math.Abs), 0, 2e-7));
    }

    [Fact]
    public void ManyThreadsAddToTheSameSums()
    {
        float[][] samples = Draw();
        var sums = new MomentSums(Inputs, Width);
        Parallel.ForEach(samples, s => sums.Add(Largest(s), s, 3));
        Assert.Equal(Sum(samples).Total(), sums.Total());
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void WhatIsNoNumberIsNotAdded(float value)
    {
        float[][] samples = Draw();
        MomentSums sums = Sum(samples);
        sums.Add(new float[Inputs], [.. samples[0].Select((v, i) => i == 7 ? value : v)], 3);
        Assert.Equal(Samples, sums.Samples);
        Assert.Equal(Sum(samples).Total(), sums.Total());
    }

    [Fact]
    public void BlocksAreAsWideAsTheirElementsAllow()
    {
        Assert.Equal(2048, Observer.WidthOf([256, 704], 1 << 27));
        Assert.Equal(512, Observer.WidthOf([.. Enumerable.Repeat(4096, 10)], 10 * InputMoments.Count(4096, 512)));
        Assert.Equal(128, Observer.WidthOf([4096], 0));
    }

    private static MomentSums Sum(float[][] samples)
    {
        var sums = new MomentSums(Inputs, Width);
        Array.ForEach(samples, s => sums.Add(Largest(s), s, 3));
        return sums;
    }

    private static float[] Largest(float[] sample) => [.. sample.Take(Inputs).Select(MathF.Abs)];

    private static float[][] Draw() =>
        [.. Enumerable.Range(0, Samples).Select(sample => LayerModels.Random(sample, InputMoments.Count(Inputs, Width)).Values<float>().ToArray().Select(v => v * MathF.ScaleB(1, (sample % 5 * 30) - 90)).ToArray())];
}
