using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Pipeline;
using MixedPrecision.Structures;
using MixedPrecision.Verification;

namespace MixedPrecision.Tests.Pipeline;

public class TrialsTests
{
    private const string Format = "int8-weight(block=64,symmetric,rounded)";

    /// <summary>Files that were timed while something else ran are timed again, until they were timed in peace or often enough; the quietest run counts.</summary>
    /// <param name="originals">Milliseconds of the original in the runs, in order: of four files, of the fifth, and of the latter again.</param>
    [Theory]
    [InlineData(new double[] { 10, 10.5 }, 10.5)]
    [InlineData(new double[] { 10, 20, 10.5 }, 10.5)]
    [InlineData(new double[] { 10, 20, 14, 15, 16 }, 14)]
    public void WhatIsDisturbedIsTimedAgain(double[] originals, double counts)
    {
        using var folder = new PipelineFolder();
        RunOptions options = folder.Options();
        var runner = new StageRunner(new ContentStore(folder["cache"]), new RunLog(options));
        using Materials materials = Materials.Open(folder.PolicyFile, options, runner);
        Steps.Calibrate(materials, runner);
        var attempts = new List<int>();
        var trials = new Trials(materials, runner, folder["trials"], ExperimentSizes.Default with { Samples = 2 }, input =>
        {
            attempts.Add(input.Attempt);
            double original = originals[attempts.Count - 1];
            double[] round = [original, .. input.Emitted.Select((_, i) => original - (i + 1))];
            return [new ScenarioComparison("one", new Dictionary<string, long>(), 1, new Comparison([.. Enumerable.Repeat(round, 8)], 0.95, 0.95, 0.01))];
        });

        Assert.Equal([1, 1, 1], materials.Workspace.Partition.Subgraphs.Select(s => s.Layers.Count));
        IReadOnlyList<Configuration>[] plans = [.. Enumerable.Range(1, 5).Select(bits => Enumerable.Range(0, 3).Select(layer => Configuration.Exported([(bits >> layer & 1) == 1 ? Format : Problems.Baseline])).ToArray())];
        IReadOnlyList<Trial> measured = trials.Measure(plans, onCalibration: false, (_, _) => { });

        Assert.Equal(Enumerable.Range(0, originals.Length).Select(run => Math.Max(run - 1, 0)), attempts);
        Assert.Equal([0, 1, 2, 3, 4], measured.Select(t => t.Number));
        Assert.Equal([10, 10, 10, 10, counts], measured.Select(t => t.OriginalMilliseconds));
        Assert.Equal(1 / counts, measured[4].Gain.Centre, 1e-12);
        Assert.False(Directory.Exists(folder["trials/trials"]));
    }
}
