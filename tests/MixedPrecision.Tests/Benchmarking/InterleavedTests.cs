using MixedPrecision.Benchmarking;

namespace MixedPrecision.Tests.Benchmarking;

public class InterleavedTests
{
    private static readonly TimingSettings Settings = new(TimeSpan.FromSeconds(0.3));

    [Fact]
    public void AQuietMachineGivesTheDifferenceAtTheFirstLook()
    {
        var machine = new SyntheticMachine(_ => 2, _ => 1.5);
        Timing timing = machine.Measure(Settings);
        Assert.Equal(2, timing.OriginalMilliseconds, 4);
        Assert.Equal(1.5, timing.CandidateMilliseconds, 4);
        Assert.Equal(0.5, timing.Gain, 4);
        Assert.True(timing.IsSignificant);
        Assert.Equal(4 / 3.0, timing.Speedup, 4);
        Assert.InRange(machine.Milliseconds, 100, 330);
        Assert.True(timing.Confidence >= 0.95);
        Assert.Empty(timing.Warnings);
        Assert.Equal(0, machine.Alive);
    }

    [Fact]
    public void ADifferenceIsFoundUnderADriftThatIsMuchGreater()
    {
        // The machine slows down by a half while it is measured, and the difference is one percent.
        double Slowness(double now) => 1 + (now / 600);
        Timing timing = new SyntheticMachine(now => Slowness(now), now => 0.99 * Slowness(now)).Measure(Settings);
        Assert.InRange(timing.Gain, 0.008, 0.015);
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

        Timing timing = new SyntheticMachine(_ => Shared(1), _ => Shared(0.7)) { Opening = 5 }.Measure(new TimingSettings(TimeSpan.FromSeconds(3)));
        Assert.InRange(timing.OriginalMilliseconds, 1, 1.1);
        Assert.InRange(timing.Gain, 0.25, 0.35);
        Assert.True(timing.IsSignificant, $"{timing}");
    }

    [Theory]
    [InlineData(0.02, 0)]
    [InlineData(0.2, 0)]
    [InlineData(0.02, 0.02)] // two openings of the same file differ by as much as two runs
    [InlineData(0.01, 0.1)] // and by much more
    public void TheIntervalCoversTheGainAsOftenAsItSays(double spread, double betweenSessions)
    {
        // Skewed and heavy-tailed noise, as timings have. Both sides have the same: their quartiles differ by the true gain.
        var random = new Random(7);
        double Noise() => spread * Math.Exp(1.5 * Gaussian(random));
        AssertCovers(0.1, Settings, () => new SyntheticMachine(_ => 1 + Noise(), _ => 0.9 + Noise()) { SessionOffset = () => betweenSessions * Gaussian(random) });
    }

    [Theory]
    [InlineData(0.02)]
    [InlineData(0.3)]
    public void ItCoversUnderBurstsThatLastForRounds(double spread)
    {
        var random = new Random(8);
        AssertCovers(0, Settings, () =>
        {
            bool disturbed = false;
            double until = 0;
            double Bursts(double now)
            {
                if (now > until)
                {
                    disturbed = !disturbed;
                    until = now + (40 * -Math.Log(1 - random.NextDouble()));
                }

                return 1 + (spread * random.NextDouble()) + (disturbed ? 2 * random.NextDouble() : 0);
            }

            return new SyntheticMachine(Bursts, Bursts) { SessionOffset = () => 0.01 * Gaussian(random) };
        });
    }

    [Fact]
    public void ItCoversUnderADriftOfTheClock()
    {
        // The clock of the processor wanders by a third.
        var random = new Random(9);
        AssertCovers(0, Settings, () =>
        {
            double phase = random.NextDouble() * 6, period = 20 + (500 * random.NextDouble());
            double Wandering(double now) => 1 + (0.3 * Math.Sin(phase + (now / period))) + Math.Abs(0.02 * Gaussian(random));
            return new SyntheticMachine(Wandering, Wandering) { SessionOffset = () => 0.01 * Gaussian(random) };
        });
    }

    [Fact]
    public void AsManySessionsAsTheTimeAllowsAreOpened()
    {
        var random = new Random(10);
        Timing Measure(double opening) => new SyntheticMachine(_ => 1 + random.NextDouble(), _ => 1 + random.NextDouble()) { Opening = opening }.Measure(Settings);
        int cheap = Measure(1).Pairs, dear = Measure(20).Pairs, ruinous = Measure(1000).Pairs;
        Assert.True(cheap > 2 * dear, $"{cheap} and {dear} pairs");
        // Fewer make no interval of this confidence.
        Assert.Equal(6, ruinous);
    }

    [Fact]
    public void RunsThatExceedTheBudgetStillMakeAnInterval()
    {
        var machine = new SyntheticMachine(_ => 10_000, _ => 9_000);
        Timing timing = machine.Measure(Settings);
        Assert.Equal(6, timing.Pairs);
        Assert.True(timing.Confidence >= 0.95);
        Assert.True(timing.IsSignificant);
        // One run to probe, then of each pair one to warm up and two that count.
        Assert.Equal(2 * (1 + (6 * 3)), machine.Runs);
    }

    [Fact]
    public void TheTimeBudgetEndsANoisyMeasurement()
    {
        var random = new Random(3);
        var machine = new SyntheticMachine(_ => 0.5 + random.NextDouble(), _ => 0.5 + random.NextDouble());
        Timing timing = machine.Measure(Settings);
        Assert.InRange(machine.Milliseconds, 280, 1300);
        Assert.Contains("when the time was over", Assert.Single(timing.Warnings));
    }

    [Fact]
    public void AMachineThatSlowsDownEndsByTimeAndStillKeepsTheConfidence()
    {
        // Runs take ten times as long as those of the probe.
        var random = new Random(4);
        double Slow(double now) => (now < 12 ? 0.1 : 1) * (1 + (0.02 * random.NextDouble()));
        var machine = new SyntheticMachine(Slow, Slow);
        Timing timing = machine.Measure(Settings);
        Assert.InRange(machine.Milliseconds, 250, 450);
        Assert.InRange(timing.Confidence, 0.95, 1);
    }

    [Fact]
    public void ShortRunsAreMeasuredSeveralAtATime()
    {
        var machine = new SyntheticMachine(_ => 0.002, _ => 0.001);
        Timing timing = machine.Measure(Settings);
        Assert.Equal(0.002, timing.OriginalMilliseconds, 6);
        Assert.Equal(0.001, timing.Gain, 6);
        Assert.True(machine.Runs >= timing.Pairs * 2 * 100, $"{machine.Runs} runs");
    }

    [Fact]
    public void SessionsAreOpenedInBalancedOrders()
    {
        var random = new Random(12);
        Func<double, double> noisy = _ => 1 + random.NextDouble();
        var machine = new SyntheticMachine(noisy, noisy, noisy, noisy);
        machine.Compare(new TimingSettings(TimeSpan.FromSeconds(1)));
        int[][] orders = [.. machine.Opened.Skip(4).Chunk(4)];
        Assert.True(orders.Length >= 20);
        Assert.All(orders, order => Assert.Equal([0, 1, 2, 3], order.Order()));
        Assert.All(orders.Chunk(2).Where(c => c.Length == 2), pair => Assert.Equal(pair[0].Reverse(), pair[1]));
        Assert.True(orders.Select(o => string.Join(' ', o)).Distinct().Count() > 5);
    }

    [Fact]
    public void SeveralCandidatesAreComparedInOneRunAndWithOneAnother()
    {
        var random = new Random(13);
        Func<double, double> Of(double milliseconds) => _ => milliseconds * (1 + (0.01 * random.NextDouble()));
        Comparison comparison = new SyntheticMachine(Of(1), Of(0.8), Of(0.9), Of(1.1)).Compare(Settings);
        Assert.InRange(comparison.Of(1).Gain, 0.19, 0.21);
        Assert.InRange(comparison.Of(2).Gain, 0.09, 0.11);
        Assert.InRange(comparison.Of(3).Gain, -0.11, -0.09);
        Timing between = comparison.Of(candidate: 1, against: 2);
        Assert.InRange(between.Gain, 0.09, 0.11);
        Assert.True(between.Low > 0);
        Assert.Equal(between.High, -comparison.Of(candidate: 2, against: 1).Low, 12);
        Assert.All([1, 2, 3], c => Assert.Equal(between.Pairs, comparison.Of(c).Pairs));
    }

    [Fact]
    public void NoDifferenceOfSeveralIsRarelyTakenForOne()
    {
        const int trials = 300;
        int significant = 0;
        var random = new Random(11);
        for (int trial = 0; trial < trials; trial++)
        {
            double Noisy(double now) => 1 + Math.Abs(0.1 * Gaussian(random));
            Comparison comparison = new SyntheticMachine(Noisy, Noisy, Noisy, Noisy) { SessionOffset = () => 0.01 * Gaussian(random) }.Compare(Settings);
            significant += Enumerable.Range(1, 3).Count(c => comparison.Of(c).IsSignificant);
        }

        Assert.InRange(significant / (3.0 * trials), 0, 0.06);
    }

    [Fact]
    public void CancellationEndsTheMeasurementAndClosesEverySession()
    {
        using var source = new CancellationTokenSource();
        int runs = 0;
        var machine = new SyntheticMachine(_ => 1, _ =>
        {
            if (++runs == 25)
            {
                source.Cancel();
            }

            return 1;
        });
        Assert.Throws<OperationCanceledException>(() => machine.Measure(Settings, source.Token));
        Assert.InRange(runs, 25, 30);
        Assert.Equal(0, machine.Alive);
    }

    /// <summary>Over many trials the interval holds the true gain at least as often as it says, but for chance.</summary>
    private static void AssertCovers(double gain, TimingSettings settings, Func<SyntheticMachine> machine)
    {
        const int trials = 600;
        int covered = 0;
        for (int trial = 0; trial < trials; trial++)
        {
            Timing timing = machine().Measure(settings);
            covered += timing.Low <= gain && timing.High >= gain ? 1 : 0;
        }

        // Three standard deviations of 600 trials below 95 %.
        Assert.InRange(covered / (double)trials, 0.923, 1);
    }

    private static double Gaussian(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
