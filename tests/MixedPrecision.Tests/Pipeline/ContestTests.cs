using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Policies;
using MixedPrecision.Solving;
using MixedPrecision.Structures;
using MixedPrecision.Tests.Policies;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Pipeline;

/// <summary>Which of the files within the budget is shipped, by what was measured of them; the original has 100 bytes.</summary>
public sealed class ContestTests : IDisposable
{
    private const long Original = 100;
    private readonly TemporaryFolder folder = new();

    [Fact]
    public void TheFastestIsShippedEvenIfItIsUniform()
    {
        Verdict verdict = Decide(Of("plan", (1, 2), 50), Of("uniform int8-dynamic", (2, 3), 50), Of("uniform int4-weight", (0.5, 1), 10));
        Assert.Equal("uniform int8-dynamic", verdict.Winner?.Name);
        Assert.Contains("fastest of 3", verdict.Why);
        Assert.Equal("plan", Decide(Of("plan", (1, 2), 50), Of("uniform int8-dynamic", (0.5, 1), 50)).Winner?.Name);
    }

    [Fact]
    public void APlanSlowerThanTheOriginalIsNotShippedHoweverSmall()
    {
        Verdict verdict = Decide(Of("plan", (-2, -1), 10));
        Assert.Null(verdict.Winner);
        Assert.Contains("slower than the original", verdict.Why);
    }

    [Fact]
    public void AGainThatCannotBeToldFromZeroShipsOnlyASmallerFile()
    {
        Assert.Contains("smaller", Decide(Of("plan", (-1, 2), 99)).Why);
        Assert.Equal("plan", Decide(Of("plan", (-1, 2), 99)).Winner?.Name);
        Assert.Null(Decide(Of("plan", (-1, 2), Original)).Winner);
        Assert.Contains("not measured to be faster", Decide(Of("plan", (-1, 2), Original)).Why);
    }

    /// <summary>The greatest best estimate may be a doubtful one: a certain gain goes before it.</summary>
    [Fact]
    public void ACertainGainGoesBeforeADoubtfulOne() =>
        Assert.Equal("uniform int8-weight", Decide(Of("plan", (-1, 9), 50), Of("uniform int8-weight", (1, 3), 200)).Winner?.Name);

    /// <summary>The original takes 10 ms: a hundredth of it is the least gain.</summary>
    [Fact]
    public void AGainBelowTheLeastShareIsNone()
    {
        Assert.Null(Decide(Of("plan", (0.05, 0.09), 200)).Winner);
        Assert.Equal("plan", Decide(Of("plan", (0.11, 0.2), 200)).Winner?.Name);
        Assert.Contains("smaller", Decide(Of("plan", (0.05, 0.09), 50)).Why);
    }

    [Fact]
    public void ScenariosCountByTheirWeights()
    {
        Contestant plan = Of("plan", (1, 2), 50);
        Contestant mixed = plan with { Times = [.. plan.Times!.Select(t => t with { Weight = 0.25 }), .. Of("plan", (-3, -2), 50).Times!.Select(t => t with { Weight = 0.75 })] };
        Assert.Equal(-1.5, mixed.Gain.Centre, 1e-12);
        Assert.Null(Decide(mixed).Winner);
    }

    /// <summary>Where times are those of a profile, what it predicts at least decides, and it is said that nothing else does.</summary>
    [Fact]
    public void WithAProfilePredictedTimesDecide()
    {
        Contestant Predicted(string name, (double Low, double High) gain, long bytes) =>
            Of(name, gain, bytes) with { Times = null, Predicted = new PredictedTime(new Gain(gain.Low, (gain.Low + gain.High) / 2, gain.High), 10) };
        Verdict verdict = Decide(Predicted("plan", (2, 3), 200), Predicted("uniform int8-dynamic", (1, 9), 50));
        Assert.Equal("plan", verdict.Winner?.Name);
        Assert.Equal("by the profile the fastest of 2 files within the budget; end-to-end time was not measured on the device", verdict.Why);
        Assert.Equal("plan", Decide(Predicted("plan", (0.05, 0.09), 50)).Winner?.Name);
        Verdict none = Decide(Predicted("plan", (0.05, 0.09), 200));
        Assert.Null(none.Winner);
        Assert.EndsWith("end-to-end time was not measured on the device", none.Why, StringComparison.Ordinal);
        Assert.Null(Decide(Predicted("plan", (-2, -1), 50)).Winner);
        Assert.Equal("plan", Contest.Decide([Of("plan", (0, 0), 99) with { Times = null, Predicted = new PredictedTime(Gain.None, 0) }], Objective.Memory, Original, 0.01).Winner?.Name);
    }

    [Fact]
    public void ForMemoryOnlyASmallerFileGains()
    {
        Assert.Equal("plan", Contest.Decide([Of("plan", (-2, -1), 99)], Objective.Memory, Original, 0.01).Winner?.Name);
        Verdict grown = Contest.Decide([Of("plan", (1, 2), 101)], Objective.Memory, Original, 0.01);
        Assert.Null(grown.Winner);
        Assert.Contains("smaller", grown.Why);
    }

    /// <summary>The original cannot be kept: then the fastest of what is small enough, and a warning with numbers where it is slower.</summary>
    [Fact]
    public void WhereTheOriginalIsTooLargeTheFastestShipsEvenIfItIsSlower()
    {
        Contestant slow = Of("plan", (-2, -1), 40), slower = Of("uniform int4-weight", (-4, -3), 30);
        Verdict verdict = Contest.Decide([slower, slow], Objective.Time, Original, 0.01, isOriginalTooLarge: true);
        Assert.Equal("plan", verdict.Winner?.Name);
        Policy policy = PolicyTests.Read("model: m.onnx\nbudget: { size: 50 B }");
        Diagnostic warning = Contest.SlowerForSize(slow, policy, Original)!;
        Assert.Equal((Codes.SlowerForSize, Severity.Warning, new Place("p.yaml", 2, 17)), (warning.Code, warning.Severity, warning.Place));
        Assert.Contains("too large for size: 50 B: 0.0 kB in place of 0.1 kB, and 1.5 ms more a run [1, 2], 15 % of it", warning.Message, StringComparison.Ordinal);
        Assert.Null(Contest.SlowerForSize(Of("plan", (-1, 1), 40), policy, Original));
        Assert.Null(Contest.SlowerForSize(slow, policy, 50));
    }

    [Fact]
    public void TheoreticalTimeIsNotMeasured() => Assert.Equal("plan", Contest.Decide([Of("plan", (-2, -1), 200)], Objective.TheoreticalTime, Original, 0.01).Winner?.Name);

    public void Dispose() => folder.Dispose();

    private static Verdict Decide(params Contestant[] contestants) => Contest.Decide(contestants, Objective.Time, Original, 0.01);

    /// <summary>A contestant of an interval of milliseconds saved, and a file of so many bytes.</summary>
    private Contestant Of(string name, (double Low, double High) gain, long bytes)
    {
        string file = folder.Combine($"{Guid.NewGuid():N}.onnx");
        File.WriteAllBytes(file, new byte[bytes]);
        double centre = (gain.Low + gain.High) / 2;
        return new Contestant(
            name,
            new Plan([Configuration.Exported(["int8-dynamic"])], 0, 0, SolverStatus.Optimal, 0, 0, 0),
            new EmittedModel([file]),
            new LossChange(1, 0, 1, 0, 0, null),
            0,
            true,
            [new ScenarioTiming("batch 1", new Dictionary<string, long>(), 1, new Timing(10, 10 - centre, centre, gain.Low, gain.High, 0.95, 9, []))]);
    }
}
