using MixedPrecision.Benchmarking;

namespace MixedPrecision.Tests.Benchmarking;

/// <summary>Comparisons during which something else ran.</summary>
public class DisturbanceTests
{
    /// <summary>Those in which the original took over 1.1 times its least are made again, each until it is quiet, three times at most; what was known before counts too.</summary>
    [Theory]
    [InlineData(new double[0], "a0 b0 b1 c0 c1 c2 c3")]
    [InlineData(new[] { 8.0 }, "a0 a1 a2 a3 b0 b1 b2 b3 c0 c1 c2 c3")]
    public void WhatIsDisturbedIsMadeAgain(double[] known, string made)
    {
        var times = new Dictionary<string, double[]> { ["a"] = [10, 10.5, 10, 10], ["b"] = [12, 10.9, 20, 10], ["c"] = [20, 15, 12, 11.5] };
        var best = new Dictionary<string, double>();
        var log = new List<string>();
        Disturbance.Repeat(["a", "b", "c"], name => best.TryGetValue(name, out double least) ? [least] : [], known, (name, attempt) =>
        {
            log.Add($"{name}{attempt}");
            best[name] = Math.Min(best.GetValueOrDefault(name, double.PositiveInfinity), times[name][attempt]);
        });
        Assert.Equal(made, string.Join(' ', log.Order(StringComparer.Ordinal)));
    }

    /// <summary>What does not run is not made again.</summary>
    [Fact]
    public void WhatDoesNotRunIsMadeOnce()
    {
        int made = 0;
        Disturbance.Repeat([0, 1], name => name == 0 ? [1] : Array.Empty<double>(), known: [], (_, _) => made++);
        Assert.Equal(2, made);
    }
}
