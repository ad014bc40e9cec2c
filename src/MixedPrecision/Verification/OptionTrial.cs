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

/// <summary>
/// Times one file with session options against itself without, all in one run: roughly first, to find those that may gain enough, then these by themselves, since what loses a lot also
/// scatters a lot, and would keep the run from an end. The first run only drops, so that the intervals of the second cover as they say.
/// </summary>
public static class OptionTrial
{
    /// <summary>Of the time for the second run, what the first one takes, and half the width of an interval that is enough for it.</summary>
    private const double RoughShare = 0.25, RoughPrecision = 0.05;

    /// <param name="path">Path of the model.</param>
    /// <param name="settings">The app's.</param>
    /// <param name="candidates">Sets of options, each to be set besides.</param>
    /// <param name="scenarios">At least one.</param>
    /// <param name="timing">How exactly to measure, per scenario and candidate.</param>
    /// <param name="leastGain">A gain that cannot be as large as this share is not measured any further.</param>
    /// <param name="waiting">Told when another benchmark on this machine has to end first.</param>
    /// <param name="cancellation">Checked before every few runs.</param>
    /// <returns>By candidate its gain over all scenarios by their weights; null where the file does not run with it, or it cannot gain enough.</returns>
    /// <exception cref="OnnxRuntimeException">The file does not run without them.</exception>
    public static IReadOnlyList<OptionGain?> Measure(
        string path,
        SessionSettings settings,
        IReadOnlyList<IReadOnlyList<SessionOption>> candidates,
        IReadOnlyList<Scenario> scenarios,
        TimingSettings timing,
        double leastGain,
        Action<string>? waiting,
        CancellationToken cancellation)
    {
        using MachineLock held = MachineLock.Acquire(cancellation, waiting);
        OptionGain?[] rough = Run([.. candidates], timing with { Budget = timing.Budget * RoughShare, Precision = RoughPrecision });
        return Run([.. candidates.Zip(rough, (options, gain) => gain?.High >= leastGain ? options : null)], timing);

        OptionGain?[] Run(IReadOnlyList<SessionOption>?[] sets, TimingSettings exactness)
        {
            var sums = new OptionGain?[sets.Length];
            double total = 0;
            foreach (Scenario scenario in scenarios)
            {
                using var feed = new Feed(scenario.Inputs.Select(i => (i.Key, i.Value)));
                Contender plain = Contender.Probe(() => EndToEnd.Open(path, settings, feed));
                Contender?[] contenders = [.. sets.Select(options => options is null ? null : Probe(options, feed))];
                int[] running = [.. Enumerable.Range(0, sets.Length).Where(i => contenders[i] is not null)];
                if (running.Length == 0)
                {
                    return new OptionGain?[sets.Length];
                }

                Comparison comparison = Interleaved.Measure([plain, .. running.Select(i => contenders[i]!)], exactness, cancellation);
                total += scenario.Weight * comparison.Of(1).OriginalMilliseconds;
                foreach ((int place, int i) in running.Index())
                {
                    Timing one = comparison.Of(place + 1);
                    OptionGain sum = sums[i] ?? new OptionGain(0, 0, 0);
                    sums[i] = new OptionGain(sum.Low + (scenario.Weight * one.Low), sum.Centre + (scenario.Weight * one.Gain), sum.High + (scenario.Weight * one.High));
                }

                // What does not run in one scenario is out in all.
                sets = [.. sets.Select((options, i) => contenders[i] is null ? null : options)];
            }

            return [.. sums.Select((sum, i) => sets[i] is null || sum is null ? null : new OptionGain(sum.Low / total, sum.Centre / total, sum.High / total))];
        }

        Contender? Probe(IReadOnlyList<SessionOption> options, Feed feed)
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
}
