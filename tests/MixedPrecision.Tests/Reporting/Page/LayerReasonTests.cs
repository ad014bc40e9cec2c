using MixedPrecision.Reporting;
using MixedPrecision.Reporting.Page;

namespace MixedPrecision.Tests.Reporting.Page;

public class LayerReasonTests
{
    private const double Budget = 1e-4;

    private static readonly PlannedLayer Free = new("/a", "MatMul", [4, 4], "fp32", null, new Dictionary<string, double> { ["int8-weight"] = 2e-5, ["int4-weight"] = 1e-3 }, new Dictionary<string, string>());

    [Fact]
    public void ARule() => Assert.Equal("The rule '/*' sets it.", Of(Free with { Pinned = "/*" }));

    [Fact]
    public void AChangedLayerSaysWhatItTakesAndGains() =>
        Assert.Equal("Gains 2 ms for 20 % of the allowed loss.", Of(Free with { Format = "int8-weight" }));

    [Fact]
    public void WhatIsNextToNothingIsNotToldInPowersOfTen() =>
        Assert.Equal("Gains 2 ms for less than 0.01 % of the allowed loss.", Of(Free with { Format = "int8-weight", Sensitivity = new Dictionary<string, double> { ["int8-weight"] = 1e-10 } }));

    [Fact]
    public void NoFormatApplies() => Assert.Equal(
        "No format applies: both operands are activations.",
        Of(Free with { Sensitivity = new Dictionary<string, double>(), NotApplicable = new Dictionary<string, string> { ["int8-weight"] = "both operands are activations", ["int4-weight"] = "both operands are activations" } }));

    [Fact]
    public void NothingGains() => Assert.Equal(
        "No format was found to gain: 0.1 ms [-0.2, 0.4] at best, with int8-weight.",
        Of(Free, new TriedConfiguration("exported", ["int8-weight"], Gain(0.1, -0.2, 0.4)), new TriedConfiguration("exported", ["int4-weight"], Gain(-1, -1.2, -0.8)), new TriedConfiguration("exported", ["fp32"], Gain(3, 3, 3))));

    [Fact]
    public void SlowerInEveryFormat() => Assert.Equal(
        "Slower in every format: int8-weight, the best, costs 0.3 ms [0.1, 0.5].",
        Of(Free, new TriedConfiguration("exported", ["int8-weight"], Gain(-0.3, -0.5, -0.1)), new TriedConfiguration("exported", ["int4-weight"], Gain(-1, -1.2, -0.8))));

    [Fact]
    public void TooSensitive() => Assert.Equal(
        "Too sensitive: int8-weight alone would take 300 % of the allowed loss MSE.",
        Of(Free with { Sensitivity = new Dictionary<string, double> { ["int8-weight"] = 3e-4 } }, new TriedConfiguration("exported", ["int8-weight"], Gain(1, 0.5, 1.5))));

    [Fact]
    public void NotWorthItsLoss() => Assert.Equal(
        "The gain is not worth the loss: int8-weight would take 20 % of the allowed loss MSE.",
        Of(Free, new TriedConfiguration("exported", ["int8-weight"], Gain(1, 0.5, 1.5))));

    /// <summary>Manifests of before do not hold what was tried; what they say in words counts.</summary>
    [Fact]
    public void TheManifestsOwnWordsWhereNothingWasTried() => Assert.Equal(
        "No format was found to gain.",
        LayerReason.Of(Subgraph(Free), 0, [], Budget, ["1 matrix product ('/b'): it is another", "2 matrix products ('/a', '/c'): no format was found to gain"]));

    private static string Of(PlannedLayer layer, params TriedConfiguration[] tried) => LayerReason.Of(Subgraph(layer), 0, tried, Budget, []);

    private static PlannedSubgraph Subgraph(PlannedLayer layer) => new(0, "f", "exported", Gain(2, 1.5, 2.5), [layer]);

    private static ReportedGain Gain(double value, double low, double high) => new(value, [low, high], "milliseconds");
}
