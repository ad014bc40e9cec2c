using MixedPrecision.Benchmarking;

namespace MixedPrecision.Tests.Benchmarking;

public class MinimumGainTests
{
    [Fact]
    public void NanosecondsOfAModelOfLessThanAMillisecondAreNoGain() =>
        Assert.False(MinimumGain.Counts(gain: 28e-6, total: 0.78, changed: 1, layers: 33, share: 0.01));

    [Fact]
    public void ManySmallEqualBlocksAddUp()
    {
        // Each of 96 layers gains 0.2 % of the model, together a fifth of it.
        Assert.True(MinimumGain.Counts(gain: 0.002, total: 1, changed: 1, layers: 96, share: 0.01));
        Assert.True(MinimumGain.Counts(gain: 96 * 0.002, total: 1, share: 0.01));
    }

    [Fact]
    public void AConfigurationHasToEarnThePartOfEveryLayerThatItChanges()
    {
        Assert.True(MinimumGain.Counts(gain: 0.0011, total: 1, changed: 1, layers: 10, share: 0.01));
        Assert.False(MinimumGain.Counts(gain: 0.0011, total: 1, changed: 2, layers: 10, share: 0.01));
    }

    [Fact]
    public void PlansOfCountingConfigurationsThatChangeEveryLayerCount()
    {
        // Whatever the sizes of the configurations: their least gains sum up to the share.
        int[] changed = [1, 4, 2, 5];
        double[] least = [.. changed.Select(c => 0.01 * 7 * c / 12)];
        Assert.All(changed.Zip(least), c => Assert.True(MinimumGain.Counts(c.Second, 7, c.First, 12, 0.01)));
        Assert.True(MinimumGain.Counts(least.Sum() + 1e-12, 7, 0.01));
        Assert.False(MinimumGain.Counts(least[0], 7, 0.01));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(-1, false)]
    [InlineData(1e-9, true)]
    [InlineData(double.NaN, false)]
    public void WithoutAShareAnyGainIsOne(double gain, bool counts) => Assert.Equal(counts, MinimumGain.Counts(gain, 1, 1, 1, 0));
}
