using System.Globalization;
using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Partitioning;
using MixedPrecision.Reporting;
using MixedPrecision.Structures;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>A format in all layers that may take it. As of a timing, names and values of weights do not enter.</summary>
/// <param name="Subgraphs">Fingerprints.</param>
/// <param name="Entering">What enters them in each scenario.</param>
/// <param name="Kernel">What is timed, as in the key of a timing.</param>
/// <param name="Layers">Places of these layers in the model's order.</param>
internal sealed record UniformFormat(IReadOnlyList<string> Subgraphs, IReadOnlyList<string> Entering, string Kernel, IReadOnlyList<int> Layers, TimingSettings Settings);

/// <summary>What <see cref="Stages.Whole"/> reads.</summary>
/// <param name="Measure">Emits the models of these formats, and times them against the original; null where one does not run.</param>
internal sealed record WholeInput(IReadOnlyList<UniformFormat> Formats, Machine Machine, [property: Incidental] Func<StageContext, List<WholeTiming?>> Measure);

/// <summary>Gains with what formats save in the whole model.</summary>
/// <param name="Timings">What that follows from, to be found again in a profile.</param>
internal sealed record WholeGains(Gains Gains, IReadOnlyList<ProfiledWhole> Timings);

/// <summary>
/// What sub-graphs in a format save in the whole model beyond what they save alone: there weights lie in other caches, threads are awake, and what one sub-graph leaves another takes. Found out by one model for each format, in all layers that may take it,
/// and spread over these by the time of their sub-graphs. It counts where a sub-graph has the format in all layers that may take it: two halves of such sub-graphs were found to save what all of them do, and single layers of them nothing of it (build/docs/validate.md).
/// </summary>
internal static class Surpluses
{
    private const string Name = "whole.onnx";

    /// <summary>Below so many milliseconds a hundredth of the time is less than two openings of one file differ by.</summary>
    private const double LeastMilliseconds = 1;

    /// <summary>Models above take minutes for each format.</summary>
    private const long MostBytes = 1L << 29;

    /// <summary>Files that are timed in one run.</summary>
    private const int Together = 4;

    /// <summary>The gains with what is found; with a profile, what that has.</summary>
    /// <param name="input">Layers that may take formats; gains of these alone and together are known.</param>
    /// <param name="entering">What enters the sub-graphs.</param>
    /// <param name="ofAll">Whether formats count too that gain nowhere, which no plan takes but one that is drawn at random.</param>
    public static WholeGains Add(Materials materials, StageRunner runner, PlanningInput input, Gains gains, IReadOnlyList<EnteringValues> entering, bool ofAll)
    {
        if (gains.OriginalMilliseconds < LeastMilliseconds || materials.Workspace.Bytes > MostBytes)
        {
            return new WholeGains(gains, []);
        }

        (string Format, IReadOnlyList<Configuration> Plan)[] uniform = [.. materials.Policy.Formats.Where(f => f != Problems.Baseline).Select(f => (f, Uniform(input, gains, f))).Where(u => MayGain(input, gains, u.f, u.Item2, ofAll))];
        if (uniform.Length == 0)
        {
            return new WholeGains(gains, []);
        }

        string[] subgraphs = [.. input.Partition.Subgraphs.Select(s => s.Fingerprint)];
        string[] scenarios = [.. entering.Select(e => string.Create(CultureInfo.InvariantCulture, $"{e.Weight}: {string.Join("; ", e.Values.Values.Order(StringComparer.Ordinal))}"))];
        UniformFormat[] formats = [.. uniform.Select(u => new UniformFormat(
            subgraphs, scenarios, NumberFormats.Get(u.Format).KernelIdentity, [.. input.Partition.Subgraphs.SelectMany(s => u.Plan[s.Index].Formats).Index().Where(f => f.Item == u.Format).Select(f => f.Index)], TimingSettings.Trial))];
        IReadOnlyList<WholeTiming?> whole = materials.Profile is { } profile
            ? [.. formats.Select(f => profile.Profile.FindWhole(KeyOf(f)))]
            : runner.Get(Stages.Whole, new WholeInput(formats, materials.Machine, context => Measure(materials, runner.Log, [.. uniform.Select(u => u.Plan)], context)));
        // As for sub-graphs, gains count in the shortest time that the original was seen to take.
        double milliseconds = whole.Where(w => w is not null).Select(w => w!.OriginalMilliseconds).DefaultIfEmpty().Min();
        string[] layers = [.. input.Partition.Subgraphs.SelectMany(s => s.Layers).Select(l => l.Name)];
        return new WholeGains(
            gains.With([.. uniform.Zip(whole).Where(u => u.Second is not null).SelectMany(u => Of(input.Partition, gains, u.First.Format, u.First.Plan, u.Second!.Share * milliseconds))]),
            [.. uniform.Zip(formats, whole).Where(u => u.Third is not null).Select(u => new ProfiledWhole(u.First.Format, [.. u.Second.Layers.Select(l => layers[l])], u.Third!, KeyOf(u.Second)))]);
    }

    /// <summary>All that the timing depends on but for the machine.</summary>
    private static string KeyOf(UniformFormat format) => StageKey.Of(format).With("version", Stages.Whole.Version).Hex;

    /// <summary>The surplus of a format in each sub-graph, in equal shares of the time of layers, which is an equal part of that of their sub-graph.</summary>
    /// <param name="whole">Milliseconds that its model gains.</param>
    private static IEnumerable<(Subgraph Subgraph, IReadOnlyList<string> Formats, double Share)> Of(Partition partition, Gains gains, string format, IReadOnlyList<Configuration> plan, double whole)
    {
        double PartOf(Subgraph subgraph) => plan[subgraph.Index].Formats.Count(f => f == format) / (double)subgraph.Layers.Count;
        double share = (whole - gains.Sum(partition, plan).Centre) / partition.Subgraphs.Sum(s => PartOf(s) * gains.OriginalOf(s).Sum());
        return partition.Subgraphs.Where(s => PartOf(s) > 0).Select(s => (s, plan[s.Index].Formats, share * PartOf(s)));
    }

    /// <summary>The format in every layer that may take it, in sub-graphs that run so; whatever rules say of the others, they stay as they are.</summary>
    private static IReadOnlyList<Configuration> Uniform(PlanningInput input, Gains gains, string format) => [.. input.Partition.Subgraphs.Select(s =>
    {
        Configuration own = Configuration.Exported([.. s.Layers.Select(l => input.Allowed[l.Name].Formats.Contains(format) ? format : Problems.Baseline)]);
        return gains.Find(new SubgraphConfiguration(s, own)) is not null ? own : Configuration.Exported([.. s.Layers.Select(_ => Problems.Baseline)]);
    })];

    /// <summary>Whether it changes anything, and gains in some sub-graph: else no plan takes it.</summary>
    private static bool MayGain(PlanningInput input, Gains gains, string format, IReadOnlyList<Configuration> plan, bool ofAll) => input.Partition.Subgraphs.Any(s =>
        plan[s.Index].Formats.Contains(format) && (ofAll || gains.Of(s).Any(g => g.Gain.Centre > 0 && g.Configuration.Formats.Contains(format))));

    private static List<WholeTiming?> Measure(Materials materials, RunLog log, IReadOnlyList<IReadOnlyList<Configuration>> plans, StageContext context)
    {
        string folder = Directory.CreateTempSubdirectory("mixed-precision-").FullName;
        try
        {
            string original = Emission.Reference(materials.Workspace, Path.Combine(folder, "reference"), Name, materials.Preparations).Value;
            var timings = new WholeTiming?[plans.Count];
            int[][] groups = [.. Enumerable.Range(0, plans.Count).Chunk(Together)];
            Disturbance.Repeat(groups, g => g.Select(i => timings[i]).OfType<WholeTiming>().Select(t => t.OriginalMilliseconds), known: [], (group, _) =>
            {
                Compare(group);
                context.Report((group[^1] + 1.0) / plans.Count, "");
            });
            return [.. timings];

            string Draft(IReadOnlyList<Configuration> plan, string name)
            {
                context.Cancel.ThrowIfCancellationRequested();
                return Emission.Draft(materials.Workspace, plan, Path.Combine(folder, name), Name, materials.Preparations).Path;
            }

            // Of several runs that counts in which the original took least.
            void Compare(int[] group)
            {
                string[] files = [.. group.Select((plan, i) => Draft(plans[plan], $"{i}"))];
                foreach ((int plan, WholeTiming timing) in Running(group, files))
                {
                    if (timings[plan] is not { } before || timing.OriginalMilliseconds < before.OriginalMilliseconds)
                    {
                        timings[plan] = timing;
                    }
                }
            }

            IEnumerable<(int Plan, WholeTiming Timing)> Running(int[] group, string[] files)
            {
                try
                {
                    IReadOnlyList<ScenarioComparison> times = EndToEnd.Measure(
                        original, files, materials.Machine.Session(), materials.Scenarios.Value, TimingSettings.Trial, _ => { }, text => log.Say(Stages.Whole.Name, text), context.Cancel);
                    return [.. group.Select((plan, i) =>
                    {
                        (Gain share, double milliseconds) = Trials.ShareOf([.. times.Select(t => t.Of(i + 1))]);
                        return (plan, new WholeTiming(share.Centre, milliseconds));
                    })];
                }
                catch (MixedPrecisionException e) when (e.Diagnostic.Code == Codes.EmittedModelDoesNotRun)
                {
                    // Which one it is the others tell, each by itself.
                    return group.Length == 1 ? [] : [.. group.Zip(files).SelectMany(one => Running([one.First], [one.Second]))];
                }
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
