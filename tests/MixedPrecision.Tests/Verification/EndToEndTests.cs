using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Verification;

public class EndToEndTests
{
    private static readonly TimingSettings Quick = new(TimeSpan.FromMilliseconds(20));

    [Fact]
    public void SeveralFilesAreTimedInOneRunInEveryScenario()
    {
        using var mixed = new EmittedModel("int8-dynamic", "fp32");
        using var uniform = new EmittedModel("int8-dynamic", "int8-dynamic");
        var fractions = new List<double>();
        IReadOnlyList<ScenarioComparison> comparisons = Measure(
            mixed.Original, [mixed.Mixed, uniform.Mixed], [Of("one", 1, 0.25), Of("many", 16, 0.75)], fractions.Add);
        Assert.Equal([("one", 1L, 0.25), ("many", 16L, 0.75)], comparisons.Select(c => (c.Name, c.Inputs["batch"], c.Weight)));
        Assert.All(comparisons, c =>
        {
            Timing[] timings = [c.Of().Timing, c.Of(2).Timing, c.Of(2, 1).Timing];
            Assert.All(timings, t => Assert.True(t.OriginalMilliseconds > 0 && t.CandidateMilliseconds > 0 && t.SpeedupLow <= t.SpeedupHigh && t.Confidence >= 0.95));
            Assert.Equal(timings[0].OriginalMilliseconds, timings[1].OriginalMilliseconds);
            Assert.Equal(timings[0].CandidateMilliseconds, timings[2].OriginalMilliseconds);
            Assert.Equal(timings[1].CandidateMilliseconds, timings[2].CandidateMilliseconds);
        });
        Assert.Equal([0.5, 1], fractions);
    }

    [Fact]
    public void AnEmittedModelThatDoesNotRunIsAnErrorThatNamesIt()
    {
        using var emitted = new EmittedModel("fp32", "fp32");
        string broken = emitted.Mixed + ".broken.onnx";
        File.WriteAllBytes(broken, [1, 2, 3]);
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => Measure(emitted.Original, [emitted.Mixed, broken], [Of("one", 1, 1)])).Diagnostic;
        Assert.Equal(Codes.EmittedModelDoesNotRun, diagnostic.Code);
        Assert.Equal("model.mixed.onnx.broken.onnx", diagnostic.Place.File);
    }

    [Fact]
    public void AScenarioThatTheOriginalRefusesIsAnError()
    {
        using var emitted = new EmittedModel("fp32", "fp32");
        var scenario = new Scenario("wrong", new Dictionary<string, long>(), 1, new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>([1], 1, 1) });
        Diagnostic diagnostic = Assert.Throws<MixedPrecisionException>(() => Measure(emitted.Original, [emitted.Mixed], [scenario])).Diagnostic;
        Assert.Equal(Codes.ScenarioDoesNotRun, diagnostic.Code);
        Assert.Contains("'wrong'", diagnostic.Message);
    }

    private static IReadOnlyList<ScenarioComparison> Measure(
        string original, IReadOnlyList<string> emitted, IReadOnlyList<Scenario> scenarios, Action<double>? progress = null) =>
        EndToEnd.Measure(original, emitted, SessionSettings.Timing(1), scenarios, Quick, progress ?? (_ => { }), null, CancellationToken.None);

    private static Scenario Of(string name, long batch, double weight) => new(
        name,
        new Dictionary<string, long> { ["batch"] = batch },
        weight,
        new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(new float[batch * EmittedModel.Inputs], batch, EmittedModel.Inputs) });
}
