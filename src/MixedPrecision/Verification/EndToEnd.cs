using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;

namespace MixedPrecision.Verification;

/// <summary>End-to-end times of several files in one scenario, measured in one run.</summary>
/// <param name="Name">The scenario's name.</param>
/// <param name="Inputs">Size of each symbolic dimension.</param>
/// <param name="Weight">The scenario's share; the shares of all scenarios sum to 1.</param>
/// <param name="Comparison">What was measured: the original is contender 0, the emitted files follow in order.</param>
public sealed record ScenarioComparison(string Name, IReadOnlyDictionary<string, long> Inputs, double Weight, Comparison Comparison)
{
    /// <summary>One file against another, by default the first emitted one against the original.</summary>
    public ScenarioTiming Of(int candidate = 1, int against = 0) => new(Name, Inputs, Weight, Comparison.Of(candidate, against));
}

/// <summary>
/// Times files end to end, each opened from disk as an app opens it, with the policy's threads and what an app that sets nothing else has, but for workers that go on
/// spinning after a run: see <see cref="SessionSettings.Timing"/>.
/// </summary>
public static class EndToEnd
{
    /// <summary>The most files that are emitted and timed in one run. The sessions of all are alive at once: each may take its file's size twice.</summary>
    public const int MostCandidates = 8;

    /// <param name="original">Path of the original model.</param>
    /// <param name="emitted">Paths of emitted models, one to <see cref="MostCandidates"/>.</param>
    /// <param name="settings">The app's.</param>
    /// <param name="scenarios">At least one.</param>
    /// <param name="timing">How exactly to measure, per scenario and emitted model.</param>
    /// <param name="progress">Told the fraction that is done.</param>
    /// <param name="waiting">Told when another benchmark on this machine has to end first.</param>
    /// <param name="cancellation">Checked before every few runs.</param>
    /// <returns>One comparison per scenario, in order.</returns>
    /// <exception cref="MixedPrecisionException">MPB5002: the original does not run in a scenario. MPB7001: an emitted model does not run.</exception>
    public static IReadOnlyList<ScenarioComparison> Measure(
        string original,
        IReadOnlyList<string> emitted,
        SessionSettings settings,
        IReadOnlyList<Scenario> scenarios,
        TimingSettings timing,
        Action<double> progress,
        Action<string>? waiting,
        CancellationToken cancellation)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(emitted.Count, MostCandidates);
        using MachineLock held = MachineLock.Acquire(cancellation, waiting);
        var results = new List<ScenarioComparison>();
        foreach (Scenario scenario in scenarios)
        {
            using var feed = new Feed(scenario.Inputs.Select(i => (i.Key, i.Value)));
            Contender[] contenders =
            [
                Probe(original, e => Errors.ScenarioDoesNotRun(scenario.Name, e)),
                .. emitted.Select(path => Probe(path, e => Errors.EmittedModelDoesNotRun(Path.GetFileName(path), e))),
            ];
            results.Add(new ScenarioComparison(scenario.Name, scenario.Sizes, scenario.Weight, Interleaved.Measure(contenders, timing, cancellation)));
            progress(results.Count / (double)scenarios.Count);

            Contender Probe(string path, Func<string, MixedPrecisionException> error)
            {
                cancellation.ThrowIfCancellationRequested();
                try
                {
                    return Contender.Probe(() => Open(path, settings, feed));
                }
                catch (OnnxRuntimeException e)
                {
                    throw error(e.Message.Replace('\n', ' '));
                }
            }
        }

        return results;
    }

    /// <summary>A file as an app opens it.</summary>
    internal static OpenedRun Open(string path, SessionSettings settings, Feed feed)
    {
        Session session = Session.Open(path, settings);
        return new OpenedRun(() => session.RunOnly(feed), session.Dispose);
    }
}
