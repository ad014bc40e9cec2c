using MixedPrecision.Benchmarking;
using MixedPrecision.Data;
using MixedPrecision.Structures;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>What was measured of a plan's file.</summary>
/// <param name="Number">Of the plan, in the order in which plans were measured.</param>
/// <param name="Loss">Change of the loss on samples that calibration did not see; null where the plan changes nothing.</param>
/// <param name="OnCalibration">The same on those that it saw; null where that was not asked for, too.</param>
/// <param name="Gain">Gain over the model as exported, as a share of its time, the scenarios weighted.</param>
/// <param name="OriginalMilliseconds">Milliseconds of that, in the same run.</param>
internal sealed record Trial(int Number, LossChange? Loss, LossChange? OnCalibration, Gain Gain, double OriginalMilliseconds);

/// <summary>
/// Emits plans, and measures the change of the loss and the time of their files, each plan once unless the machine was disturbed; some files lie on the disk at a time. What is measured is kept in the cache, and files are not. Plans are compared with the model that they are made
/// for: the original, or where that was rewritten at no loss, the rewritten one, whose gain is none of theirs.
/// </summary>
/// <param name="quiet">Runs stages and says nothing: there are many.</param>
/// <param name="folder">Where files are made.</param>
/// <param name="compare">Times files against the original; null: the stage does.</param>
internal sealed class Trials(Materials materials, StageRunner quiet, string folder, ExperimentSizes sizes, Func<CompareInput, IReadOnlyList<ScenarioComparison>>? compare = null)
{
    /// <summary>Files that are timed in one run.</summary>
    private const int Together = 4;

    private const string Name = "trial.onnx";

    private readonly Dictionary<string, Trial> known = [];

    private readonly Lazy<Content<IReadOnlyList<Sample>>> unseen = new(() => new Content<IReadOnlyList<Sample>>(
        materials.Data.Evaluation.Key.With("first", sizes.Samples), () => [.. materials.Data.Evaluation.Value.Take(sizes.Samples)]));

    private readonly Lazy<Content<string>> reference = new(() => Emission.Reference(materials.Workspace, Path.Combine(folder, "reference"), Name, materials.Preparations));

    /// <summary>What was measured of plans, in their order.</summary>
    /// <param name="onCalibration">Whether the loss is measured on calibration samples too; of plans that were measured before it is not.</param>
    /// <param name="report">Told the fraction that is done, and what is under way.</param>
    public IReadOnlyList<Trial> Measure(IReadOnlyList<IReadOnlyList<Configuration>> plans, bool onCalibration, Action<double, string> report)
    {
        IReadOnlyList<Configuration>[] open = [.. plans.DistinctBy(Problems.KeyOf).Where(p => !known.ContainsKey(Problems.KeyOf(p)))];
        IReadOnlyList<Configuration>[][] groups = [.. open.Where(p => p.Any(c => c.Changes(Problems.Baseline))).Chunk(Together)];
        int done = 0;
        Disturbance.Repeat(groups, g => g.Select(p => known[Problems.KeyOf(p)].OriginalMilliseconds), [.. known.Values.Select(t => t.OriginalMilliseconds).Where(o => o > 0)], (group, attempt) => Measure(
            group,
            onCalibration,
            attempt,
            attempt == 0 ? () => report((double)done / open.Length, $"file {++done} of {open.Length}") : () => report(1, "again, since the original took longer than elsewhere")));

        foreach (IReadOnlyList<Configuration> unchanged in open.Where(p => !known.ContainsKey(Problems.KeyOf(p))))
        {
            known.Add(Problems.KeyOf(unchanged), new Trial(known.Count, null, null, Gain.None, 0));
        }

        return [.. plans.Select(p => known[Problems.KeyOf(p)])];
    }

    /// <summary>Measures files in one run; of several runs that counts in which the original took least.</summary>
    private void Measure(IReadOnlyList<Configuration>[] group, bool onCalibration, int attempt, Action report)
    {
        string own = Path.Combine(folder, "trials");
        EmittedModel[] files = [.. group.Select((plan, i) => Draft(plan, Path.Combine(own, $"{i}")))];
        (LossChange Unseen, LossChange? Seen)[] losses = [.. files.Select(file =>
        {
            report();
            return (LossOf(file, unseen.Value), onCalibration ? LossOf(file, materials.Data.Calibration) : null);
        })];
        var input = new CompareInput(reference.Value, [.. files.Select(f => f.Content)], materials.Scenarios, materials.Machine, sizes.Timing, attempt);
        IReadOnlyList<ScenarioComparison> times = compare?.Invoke(input) ?? quiet.Get(Stages.Compare, input);
        for (int i = 0; i < group.Length; i++)
        {
            (Gain gain, double original) = ShareOf([.. times.Select(t => t.Of(i + 1))]);
            Trial? before = known.GetValueOrDefault(Problems.KeyOf(group[i]));
            if (before is null || original < before.OriginalMilliseconds)
            {
                known[Problems.KeyOf(group[i])] = new Trial(before?.Number ?? known.Count, losses[i].Unseen, losses[i].Seen, gain, original);
            }
        }

        Directory.Delete(own, recursive: true);
    }

    private EmittedModel Draft(IReadOnlyList<Configuration> plan, string own)
    {
        quiet.Log.Cancel.ThrowIfCancellationRequested();
        return Emission.Draft(materials.Workspace, plan, own, Name, materials.Preparations);
    }

    /// <summary>The change of the loss from the original to a file.</summary>
    public LossChange LossOf(EmittedModel file, Content<IReadOnlyList<Sample>> samples) => Steps.Evaluate(materials, quiet, file, samples);

    /// <summary>The gain over the scenarios by their weights, as a share of the original's time.</summary>
    internal static (Gain Gain, double OriginalMilliseconds) ShareOf(IReadOnlyList<ScenarioTiming> times)
    {
        double original = times.Sum(t => t.Weight * t.Timing.OriginalMilliseconds);
        double Share(Func<Timing, double> of) => times.Sum(t => t.Weight * of(t.Timing)) / original;
        return (new Gain(Share(t => t.Low), Share(t => t.Gain), Share(t => t.High)), original);
    }
}
