using MixedPrecision.Benchmarking;

namespace MixedPrecision.Tests.Benchmarking;

public class InterleavedTests
{
    private static readonly TimingSettings Settings = new(TimeSpan.FromSeconds(0.3));

    [Fact]
    public void AQuietMachineGivesTheDifferenceInFewPairs()
    {
        Timing timing = new SyntheticMachine(_ => 2, _ => 1.5).Measure(Settings);
        Assert.Equal(2, timing.BaselineMilliseconds, 4);
        Assert.Equal(1.5, timing.CandidateMilliseconds, 4);
        Assert.Equal(0.5, timing.Gain, 4);
        Assert.True(timing.IsSignificant);
        Assert.Equal(4 / 3.0, timing.Speedup, 4);
        Assert.Equal(12, timing.Pairs);
        Assert.True(timing.Confidence >= 0.95);
        Assert.Empty(timing.Warnings);
    }

    [Fact]
    public void ADifferenceIsFoundUnderADriftThatIsMuchGreater()
    {
        // The machine slows down by a half while it is measured, and the difference is one percent.
        double Slowness(double now) => 1 + (now / 600);
        Timing timing = new SyntheticMachine(now => Slowness(now), now => 0.99 * Slowness(now)).Measure(Settings);
        Assert.InRange(timing.Gain, 0.008, 0.013);
        Assert.True(timing.Low > 0, $"{timing}");
    }

    [Fact]
    public void ADriftDoesNotMakeADifference()
    {
        double Slowness(double now) => 1 + (now / 300);
        Timing timing = new SyntheticMachine(Slowness, Slowness).Measure(Settings);
        // A run lasts 1 ms, in which the machine slows down by 1/300 ms.
        Assert.InRange(timing.Gain, -1 / 300.0, 1 / 300.0);
        Assert.False(timing.IsSignificant, $"{timing}");
    }

    [Fact]
    public void RareInterruptionsDoNotMoveTheGain()
    {
        var random = new Random(5);
        double Interrupted(double milliseconds) => random.Next(10) == 0 ? milliseconds + 30 : milliseconds * (1 + (0.002 * random.NextDouble()));
        Timing timing = new SyntheticMachine(_ => Interrupted(1), _ => Interrupted(0.9)).Measure(new TimingSettings(TimeSpan.FromSeconds(3)));
        Assert.InRange(timing.Gain, 0.09, 0.11);
        Assert.True(timing.IsSignificant);
    }

    [Fact]
    public void HalfOfTheRunsMayBeDisturbed()
    {
        // A machine that others use as well: bursts of several runs in which each takes up to ten times as long.
        var random = new Random(6);
        bool disturbed = false;
        double Shared(double milliseconds)
        {
            disturbed = random.Next(4) == 0 ? !disturbed : disturbed;
            return milliseconds * (1 + (0.01 * random.NextDouble()) + (disturbed ? 9 * random.NextDouble() : 0));
        }

        Timing timing = new SyntheticMachine(_ => Shared(1), _ => Shared(0.8)).Measure(Settings);
        Assert.InRange(timing.BaselineMilliseconds, 1, 1.1);
        Assert.InRange(timing.Gain, 0.15, 0.3);
        Assert.True(timing.IsSignificant, $"{timing}");
    }

    [Theory]
    [InlineData(0.02)]
    [InlineData(0.2)]
    public void TheIntervalCoversTheGainAsOftenAsItSays(double spread)
    {
        // Skewed and heavy-tailed noise, as timings have. Both sides have the same: their quartiles differ by the true gain.
        const int trials = 1000;
        int covered = 0;
        var random = new Random(7);
        double Noise() => spread * Math.Exp(1.5 * Gaussian(random));
        for (int trial = 0; trial < trials; trial++)
        {
            Timing timing = new SyntheticMachine(_ => 1 + Noise(), _ => 0.9 + Noise()).Measure(Settings);
            covered += timing.Low <= 0.1 && timing.High >= 0.1 ? 1 : 0;
        }

        // 95 % is promised at one look; looking several times may cost some of it, but not much.
        Assert.InRange(covered / (double)trials, 0.92, 1);
    }

    [Fact]
    public void NoDifferenceIsRarelyTakenForOne()
    {
        const int trials = 1000;
        int significant = 0;
        var random = new Random(11);
        for (int trial = 0; trial < trials; trial++)
        {
            double Noisy(double now) => 1 + Math.Abs(0.1 * Gaussian(random));
            significant += new SyntheticMachine(Noisy, Noisy).Measure(Settings).IsSignificant ? 1 : 0;
        }

        Assert.InRange(significant / (double)trials, 0, 0.08);
    }

    [Fact]
    public void TooFewPairsAreAWarningWithTheConfidenceReached()
    {
        // One block of four runs of ten seconds is past four times the budget.
        Timing timing = new SyntheticMachine(_ => 10_000, _ => 9_000).Measure(Settings);
        Assert.Equal(2, timing.Pairs);
        Assert.Equal(0, timing.Confidence, 6);
        Assert.Contains("only 2 pairs", Assert.Single(timing.Warnings));
        Assert.Contains("needs 12", timing.Warnings[0]);
    }

    [Fact]
    public void TheTimeBudgetEndsANoisyMeasurement()
    {
        var random = new Random(3);
        var machine = new SyntheticMachine(_ => 0.5 + random.NextDouble(), _ => 0.5 + random.NextDouble());
        Timing timing = machine.Measure(Settings);
        Assert.InRange(machine.Milliseconds, 300, 1220);
        Assert.Contains("when the time was over", Assert.Single(timing.Warnings));
    }

    [Fact]
    public void ShortRunsAreMeasuredSeveralAtATime()
    {
        var machine = new SyntheticMachine(_ => 0.002, _ => 0.001);
        Timing timing = machine.Measure(Settings);
        Assert.Equal(0.002, timing.BaselineMilliseconds, 6);
        Assert.Equal(0.001, timing.Gain, 6);
        Assert.True(machine.Runs >= 24 * 100, $"{machine.Runs} runs");
    }

    [Fact]
    public void CancellationEndsTheMeasurement()
    {
        using var source = new CancellationTokenSource();
        int runs = 0;
        var machine = new SyntheticMachine(_ => 1, _ =>
        {
            if (++runs == 5)
            {
                source.Cancel();
            }

            return 1;
        });
        Assert.Throws<OperationCanceledException>(() => machine.Measure(Settings, source.Token));
        Assert.InRange(machine.Runs, 5, 20);
    }

    private static double Gaussian(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
