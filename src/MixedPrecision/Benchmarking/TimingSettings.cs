using MixedPrecision.Caching;

namespace MixedPrecision.Benchmarking;

/// <summary>How long and how exactly a comparison is measured. It is part of a timing's key.</summary>
/// <param name="Budget">Time of one comparison of two, opening sessions included; up to four times as much where that gave too much noise, and longer where fewer pairs of sessions fit in than an interval needs.</param>
/// <param name="Precision">Half the width of the gain's interval that is enough, as a fraction of the original's time.</param>
/// <param name="Confidence">Probability with which the interval has to cover the gain.</param>
public sealed record TimingSettings(TimeSpan Budget, double Precision = 0.01, double Confidence = 0.95)
{
    /// <summary>For one configuration of one sub-graph.</summary>
    public static readonly TimingSettings Subgraph = new(TimeSpan.FromSeconds(0.3));

    /// <summary>For configurations of one sub-graph that are nearly as fast as each other.</summary>
    public static readonly TimingSettings Rivals = new(TimeSpan.FromSeconds(1), Precision: 0.004);

    /// <summary>For two neighbouring sub-graphs, together and apart: seven comparisons.</summary>
    public static readonly TimingSettings Edge = new(TimeSpan.FromSeconds(0.1), Precision: 0.02);

    /// <summary>For a whole model in one scenario.</summary>
    public static readonly TimingSettings WholeModel = new(TimeSpan.FromSeconds(4));

    /// <summary>For a whole model in one scenario where its time is told, and decides nothing.</summary>
    public static readonly TimingSettings Told = new(TimeSpan.FromSeconds(1));

    /// <summary>For one of the many models of an experiment, whole, in one scenario.</summary>
    public static readonly TimingSettings Trial = new(TimeSpan.FromSeconds(1.5));

    /// <summary>For a session option on the shipped model in one scenario.</summary>
    public static readonly TimingSettings Advice = new(TimeSpan.FromSeconds(1));

    public CacheKey Key() => CacheKey.Of(("method", "rounds of sessions opened anew, lower quartiles, order statistics at shared looks"))
        .With("budget milliseconds", Budget.TotalMilliseconds)
        .With("precision", Precision)
        .With("confidence", Confidence);
}
