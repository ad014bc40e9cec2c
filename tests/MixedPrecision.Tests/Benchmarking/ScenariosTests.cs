using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Benchmarking;

public class ScenariosTests
{
    private static readonly Place Place = new("model.policy.yaml", 7, 5);

    private static readonly IReadOnlyList<IReadOnlyDictionary<string, Tensor>> Samples =
        [Sample(1, 2, 3), Sample(4), Sample(5, 6, 7, 8, 9), Sample(10, 11)];

    [Fact]
    public void BatchesStackDifferentSamplesAndSequencesAreCroppedOrRepeated()
    {
        Scenario scenario = Assert.Single(Make(new() { ["batch"] = 6, ["sequence"] = 4 }));
        Assert.Equal([6, 4], scenario.Inputs["tokens"].Shape);
        Assert.Equal(
            [1, 2, 3, 1, 4, 4, 4, 4, 5, 6, 7, 8, 10, 11, 10, 11, 1, 2, 3, 1, 4, 4, 4, 4],
            scenario.Inputs["tokens"].Values<long>().ToArray());
    }

    [Fact]
    public void ABatchThatIsNotTheFirstAxisIsStackedAsWell()
    {
        Scenario scenario = Assert.Single(Make(new() { ["batch"] = 2, ["sequence"] = 2 }));
        Assert.Equal([2, 2, 1], scenario.Inputs["state"].Shape);
        Assert.Equal([1, 4, -1, -4], scenario.Inputs["state"].Values<float>().ToArray());
    }

    /// <summary>As a cache is before the first token.</summary>
    [Theory]
    [InlineData(3, 0)]
    [InlineData(0, 2)]
    public void AnAxisMayBeEmpty(long batch, long sequence)
    {
        Scenario scenario = Assert.Single(Make(new() { ["batch"] = batch, ["sequence"] = sequence }));
        Assert.Equal([batch, sequence], scenario.Inputs["tokens"].Shape);
        Assert.Equal([2, batch, 1], scenario.Inputs["state"].Shape);
    }

    [Fact]
    public void SizesThatAScenarioLeavesOutAreThoseOfTheMedianSample()
    {
        Scenario scenario = Assert.Single(Make(new() { ["batch"] = 2 }));
        Assert.Equal([2, 2], scenario.Inputs["tokens"].Shape);
        Assert.Equal("batch 2, sequence 2", scenario.Name);
    }

    [Fact]
    public void WithoutScenariosTheMedianSampleIsOne()
    {
        Scenario scenario = Assert.Single(Scenarios.Make(Model(), [], Samples));
        Assert.Equal("batch 1, sequence 2", scenario.Name);
        Assert.Equal(1, scenario.Weight);
        Assert.Equal([10, 11], scenario.Inputs["tokens"].Values<long>().ToArray());
    }

    [Fact]
    public void WeightsAreNormalisedAndZeroOnesLeftOut()
    {
        ScenarioPolicy Of(string name, double weight) => new(name, new Dictionary<string, long> { ["batch"] = 1 }, weight, Place);
        IReadOnlyList<Scenario> scenarios = Scenarios.Make(Model(), [Of("a", 3), Of("b", 0), Of("c", 1)], Samples);
        Assert.Equal([("a", 0.75), ("c", 0.25)], scenarios.Select(s => (s.Name, s.Weight)));
    }

    [Fact]
    public void AnUnknownDimensionIsAnErrorWithTheKnownOnes()
    {
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => Make(new() { ["sequnce"] = 4 })).Diagnostic;
        Assert.Equal(Codes.ScenarioDimensionUnknown, diagnostic.Code);
        Assert.Equal(Place, diagnostic.Place);
        Assert.Contains("did you mean 'sequence'?", diagnostic.Message);
        Assert.Contains("'batch', 'sequence'", diagnostic.Message);
    }

    [Theory]
    [InlineData(1L << 40, 1)]
    [InlineData(long.MaxValue, long.MaxValue)]
    public void SizesBeyondTwoGigabytesAreAnError(long batch, long sequence)
    {
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => Make(new() { ["batch"] = batch, ["sequence"] = sequence })).Diagnostic;
        Assert.Equal(Codes.ScenarioTooLarge, diagnostic.Code);
    }

    private static IReadOnlyList<Scenario> Make(Dictionary<string, long> sizes) =>
        Scenarios.Make(Model(), [new ScenarioPolicy(null, sizes, 1, Place)], Samples);

    private static Dictionary<string, Tensor> Sample(params long[] tokens) => new()
    {
        ["tokens"] = Tensor.Of<long>(tokens, 1, tokens.Length),
        ["state"] = Tensor.Of<float>([tokens[0], -tokens[0]], 2, 1, 1),
        ["rate"] = Tensor.Scalar(16000L),
    };

    private static OnnxModel Model()
    {
        var graph = new GraphProto();
        graph.Input.Add(new TensorType(ElementType.Int64, [new(null, "batch"), new(null, "sequence")]).ToProto("tokens"));
        graph.Input.Add(new TensorType(ElementType.Float, [Dimension.Of(2), new(null, "batch"), Dimension.Unknown]).ToProto("state"));
        graph.Input.Add(new TensorType(ElementType.Int64, []).ToProto("rate"));
        return new OnnxModel(new ModelProto { Graph = graph }, ".", "model.onnx");
    }
}
