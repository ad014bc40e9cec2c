using MixedPrecision.Benchmarking;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Tests.Policies;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Pipeline;

public class AdvisingTests
{
    private static readonly AppOption Plain = new("no spinning", "", false, [SessionOption.NoSpinning], ChangesNumbers: false);

    private static readonly AppOption Changing = new("Gelu approximation", "outputs differ", false, [SessionOption.GeluApproximation], ChangesNumbers: true);

    [Fact]
    public void OnlyAGainOfOnePercentAtItsLowerEndIsTold()
    {
        SessionAdvice advice = Assert.Single(Advising.Worth([Plain, Plain, Plain], [new(0.009, 0.05, 0.1), null, new(0.01, 0.02, 0.03)], _ => true));
        Assert.Equal([0.01, 0.02, 0.03], advice.Gain);
        Assert.Equal([SessionOption.NoSpinning], advice.Set);
        Assert.Null(advice.Price);
    }

    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 1)]
    public void WhatChangesNumbersHasToStayWithinTheBudget(bool staysWithin, int told)
    {
        IReadOnlyList<SessionAdvice> advice = Advising.Worth([Plain, Changing], [new(0.02, 0.03, 0.04), new(0.02, 0.03, 0.04)], option => option == Changing && staysWithin);
        Assert.Equal(told, advice.Count);
    }

    [Fact]
    public void DimensionsAreFixedWhereAllScenariosAgree()
    {
        Policy policy = PolicyTests.Read("""
            model: m.onnx
            scenarios: [ { inputs: { batch: 1, sequence: 8, past: 0 } }, { inputs: { past: 0, batch: 1, sequence: 9 } } ]
            runtime: { freeDimensions: true }
            """);
        Assert.Equal([SessionOption.FreeDimension("batch", 1), SessionOption.FreeDimension("past", 0)], AppOptions.Set(policy));
        Assert.Null(AppOptions.Set(policy with { Runtime = policy.Runtime with { FreeDimensions = false } }));
        Assert.Equal(
            [SessionOption.GeluApproximation, SessionOption.NoSpinning],
            AppOptions.Set(policy with { Runtime = policy.Runtime with { FreeDimensions = false, GeluApproximation = true, Spinning = false } }));
    }

    /// <summary>What the app sets is measured with, stands in the manifest, and is advised no more; the others are timed on what ships.</summary>
    [Fact]
    public void WhatTheAppSetsIsSetAndNotAdvised()
    {
        // A rule, so that a file is timed whatever gains.
        const string Rule = "layers: [ { match: \"*\", format: int8-weight } ]";
        using var folder = new PipelineFolder();
        folder.WritePolicy("20%", Rule);
        File.WriteAllText(folder.PolicyFile, File.ReadAllText(folder.PolicyFile).Replace("threads: 1", "threads: 1, freeDimensions: true, spinning: false", StringComparison.Ordinal));
        Manifest manifest = folder.Quantize().Manifest;
        Assert.Equal([SessionOption.FreeDimension("batch", 16), SessionOption.NoSpinning], manifest.Machine.Options);
        Assert.Contains("\"options.AddFreeDimensionOverrideByName(\\u0022batch\\u0022, 16);\"", manifest.ToJson().Replace("\\\"", "\\u0022", StringComparison.Ordinal));
        Assert.DoesNotContain("advise started", folder.Log);

        folder.WritePolicy("20%", Rule);
        Assert.Null(folder.Quantize().Manifest.Machine.Options);
        Assert.Contains("advise started", folder.Log);
    }

    /// <summary>A file that does not run with an option has no gain with it; others in the same run do, unless they cannot gain enough.</summary>
    [Theory]
    [InlineData(double.NegativeInfinity, true)]
    [InlineData(double.PositiveInfinity, false)]
    public void AnOptionHasAGainWhereTheFileRunsWithItAndMayGainEnough(double leastGain, bool hasGain)
    {
        using var folder = new PipelineFolder();
        var sizes = new Dictionary<string, long> { ["batch"] = 4 };
        var inputs = new Dictionary<string, Tensor> { ["x"] = Tensor.Of<float>(new float[4 * 64], 4, 64) };
        IReadOnlyList<OptionGain?> gains = OptionTrial.Measure(
            folder["model.onnx"],
            SessionSettings.Timing(1),
            [[SessionOption.FreeDimension("batch", 5)], [SessionOption.FreeDimension("batch", 4)]],
            [new Scenario("four", sizes, 1, inputs)],
            new TimingSettings(TimeSpan.FromMilliseconds(20)),
            leastGain,
            null,
            TestContext.Current.CancellationToken);
        Assert.Null(gains[0]);
        Assert.Equal(hasGain, gains[1] is { } gain && gain.Low <= gain.Centre && gain.Centre <= gain.High && gain.High < 1);
    }
}
