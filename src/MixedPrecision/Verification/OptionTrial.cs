using Microsoft.ML.OnnxRuntime;
using MixedPrecision.Benchmarking;
using MixedPrecision.Caching;
using MixedPrecision.Execution;

namespace MixedPrecision.Verification;

/// <summary>What session options gain on a file.</summary>
/// <param name="Low">Lower end of the interval, as a share of the file's time without them.</param>
/// <param name="Centre">The gain, likewise.</param>
/// <param name="High">Upper end of the interval, likewise.</param>
public sealed record OptionGain(double Low, double Centre, double High);

/// <summary>Times one file with session options against itself without, all in one run.</summary>
public static class OptionTrial
{
    /// <param name="path">Path of the model.</param>
    /// <param name="settings">The app's.</param>
    /// <param name="candidates">Sets of options, each to be set besides.</param>
    /// <param name="scenarios">At least one.</param>
    /// <param name="timing">How exactly to measure, per scenario and candidate.</param>
    /// <param name="waiting">Told when another benchmark on this machine has to end first.</param>
    /// <param name="cancellation">Checked before every few runs.</param>
    /// <returns>By candidate its gain over all scenarios by their weights; null where the file does not run with it.</returns>
    /// <exception cref="OnnxRuntimeException">The file does not run without them.</exception>
    public static IReadOnlyList<OptionGain?> Measure(
        string path,
        SessionSettings settings,
        IReadOnlyList<IReadOnlyList<SessionOption>> candidates,
        IReadOnlyList<Scenario> scenarios,
        TimingSettings timing,
        Action<string>? waiting,
        CancellationToken cancellation)
    {
        using MachineLock held = MachineLock.Acquire(cancellation, waiting);
        int[] running = [.. Enumerable.Range(0, candidates.Count)];
        var gains = new OptionGain?[candidates.Count];
        double total = 0;
        foreach (Scenario scenario in scenarios)
        {
            using var feed = new Feed(scenario.Inputs.Select(i => (i.Key, i.Value)));
            Contender plain = Contender.Probe(() => EndToEnd.Open(path, settings, feed));
            (int Index, Contender Contender)[] contenders = [.. running.Select(i => (i, Probe(candidates[i]))).Where(c => c.Item2 is not null).Select(c => (c.i, c.Item2!))];
            running = [.. contenders.Select(c => c.Index)];
            if (running.Length == 0)
            {
                break;
            }

            Comparison comparison = Interleaved.Measure([plain, .. contenders.Select(c => c.Contender)], timing, cancellation);
            total += scenario.Weight * comparison.Of(1).OriginalMilliseconds;
            for (int i = 0; i < running.Length; i++)
            {
                Timing one = comparison.Of(i + 1);
                OptionGain sum = gains[running[i]] ?? new OptionGain(0, 0, 0);
                gains[running[i]] = new OptionGain(sum.Low + (scenario.Weight * one.Low), sum.Centre + (scenario.Weight * one.Gain), sum.High + (scenario.Weight * one.High));
            }

            Contender? Probe(IReadOnlyList<SessionOption> options)
            {
                cancellation.ThrowIfCancellationRequested();
                try
                {
                    return Contender.Probe(() => EndToEnd.Open(path, settings with { Options = [.. settings.Options ?? [], .. options] }, feed));
                }
                catch (OnnxRuntimeException)
                {
                    return null;
                }
            }
        }

        return [.. gains.Select((g, i) => running.Contains(i) && g is not null ? new OptionGain(g.Low / total, g.Centre / total, g.High / total) : null)];
    }
}
