using MixedPrecision.Reporting;
using MixedPrecision.Reporting.Page;

namespace MixedPrecision.Tests.Reporting.Page;

public class QuantityTests
{
    [Theory]
    [InlineData(1.25, "1.25 ms")]
    [InlineData(0.0277, "0.0277 ms")]
    [InlineData(0.000243, "0.000243 ms")]
    [InlineData(-0.0000031, "-0.000003 ms")]
    [InlineData(0, "0 ms")]
    public void TimesHaveOneUnitAndNoPowers(double value, string text) => Assert.Equal(text, Quantity.Gain(value, Quantity.Milliseconds));

    [Fact]
    public void AnIntervalNamesTheUnitOnce()
    {
        Assert.Equal("4.67 ms [4.52, 4.86]", Quantity.WithInterval(new ReportedGain(4.67, [4.52, 4.86], Quantity.Milliseconds)));
        Assert.Equal("2.00 MB [900.0 kB, 3.00 MB]", Quantity.WithInterval(new ReportedGain(2e6, [9e5, 3e6], "bytes")));
        Assert.Equal("2.00 MB", Quantity.WithInterval(new ReportedGain(2e6, [2e6, 2e6], "bytes")));
    }

    [Theory]
    [InlineData(0.0822, "8.22 %", "8.22 %")]
    [InlineData(0.00344, "0.344 %", "0.34 %")]
    [InlineData(0.00005, "less than 0.01 %", "< 0.01 %")]
    [InlineData(0, "0 %", "0.00 %")]
    [InlineData(3, "300 %", "300.00 %")]
    public void AShareIsToldInASentenceAndInAColumn(double share, string sentence, string column)
    {
        Assert.Equal(sentence, Quantity.Share(share));
        Assert.Equal(column, Quantity.ShareInColumn(share));
    }

    [Fact]
    public void TicksThatAPhoneHasNoRoomForAreMinor()
    {
        var axis = Axis.Spanning([1e-5, 0.01], 62, 622);
        (double Value, double At, bool IsMinor)[] ticks = [.. axis.SpacedTicks(50, 94)];
        Assert.Equal((0, 62, false), ticks[0]);
        Assert.All(ticks.Zip(ticks.Skip(1)), pair => Assert.True(pair.Second.At - pair.First.At >= 50));
        (double Value, double At, bool IsMinor)[] large = [.. ticks.Where(t => !t.IsMinor)];
        Assert.InRange(large.Length, 2, ticks.Length - 1);
        Assert.All(large.Zip(large.Skip(1)), pair => Assert.True(pair.Second.At - pair.First.At >= 94));
    }
}
