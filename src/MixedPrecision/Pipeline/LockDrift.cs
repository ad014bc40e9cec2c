using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>What a lock rests on, taken when it is made and held against what is there when it is used.</summary>
internal static class LockDrift
{
    private const string Nothing = "nothing";

    /// <summary>The files of data, of losses and of a profile that a policy names and that are there, with their hashes.</summary>
    public static IReadOnlyList<LockedFile> DataOf(Policy policy) =>
        [.. FilesOf(policy).Where(f => Path.Exists(policy.Resolve(f.Path))).Select(f => new LockedFile(f.Key, Datasets.DataHash(policy.Resolve(f.Path), f.Path, f.IsData ? Datasets.FormatOf(policy) : null)))];

    /// <summary>Versions of what writes plans.</summary>
    public static LockedVersions VersionsOf(Workspace workspace, params IReadOnlyList<IReadOnlyList<Configuration>> plans) => new(
        Emission.Version,
        ExactRewrites.Version,
        plans.SelectMany(p => Emission.LayersOf(workspace, p)).Select(l => l.Format).Distinct().OrderBy(f => f.Name, StringComparer.Ordinal).ToDictionary(f => f.Name, f => f.Version),
        plans.SelectMany(p => Emission.StructuresOf(workspace, p)).DistinctBy(s => s.Name).OrderBy(s => s.Name, StringComparer.Ordinal).ToDictionary(s => s.Name, s => s.Version));

    /// <exception cref="MixedPrecisionException">MPB8011: the policy says something else.</exception>
    public static void CheckPolicy(string path, PrecisionLock found, Policy policy)
    {
        string[] keys = [.. found.Policy.Keys.Union(policy.Texts.Keys).Where(k => found.Policy.GetValueOrDefault(k) != policy.Texts.GetValueOrDefault(k)).Order(StringComparer.Ordinal)];
        if (keys.Length > 0)
        {
            throw Errors.LockPolicyDrift(policy.PlaceOf(keys[0]), path, [.. keys.Select(k => (k, Quoted(found.Policy, k), Quoted(policy.Texts, k)))]);
        }

        static string Quoted(IReadOnlyDictionary<string, string> texts, string key) => texts.TryGetValue(key, out string? text) ? Wording.Quote(text) : Nothing;
    }

    /// <summary>Before the plan is read: the formats that it names have to be what they were.</summary>
    /// <exception cref="MixedPrecisionException">MPB8013: this version of the tool writes another file.</exception>
    public static void CheckVersions(string path, PrecisionLock found)
    {
        IEnumerable<(string What, int Locked, int Own)> versions =
        [
            ("what writes models", found.Versions.Emission, Emission.Version),
            ("exact rewrites", found.Versions.Rewrites, ExactRewrites.Version),
            .. found.Versions.Formats.Select(f => ($"the format {Wording.Quote(f.Key)}", f.Value, FormatId.TryParse(f.Key, out _) is { IsOpen: false } ? NumberFormats.Get(f.Key).Version : 0)),
        ];
        CheckVersions(path, found, versions);
    }

    /// <summary>The same of structures, whose versions follow from the model.</summary>
    /// <exception cref="MixedPrecisionException">MPB8013.</exception>
    public static void CheckStructures(string path, PrecisionLock found, Workspace workspace, IReadOnlyList<Configuration> plan) => CheckVersions(
        path, found, VersionsOf(workspace, plan).Structures.Select(s => ($"the structure {Wording.Quote(s.Key)}", found.Versions.Structures.GetValueOrDefault(s.Key), s.Value)));

    private static void CheckVersions(string path, PrecisionLock found, IEnumerable<(string What, int Locked, int Own)> versions)
    {
        foreach ((string what, int locked, int own) in versions.Where(v => v.Locked != v.Own))
        {
            throw Errors.LockOfOtherVersion(path, $"it was made with version {locked} of {what}, and this tool ({typeof(LockDrift).Assembly.GetName().Version!.ToString(3)}; the lock's was {Wording.Escape(found.Models[0].Manifest.Engine)}) has "
                + (own == 0 ? "none of that name" : $"version {own}"));
        }
    }

    /// <exception cref="MixedPrecisionException">MPB8010: it is another model.</exception>
    public static void CheckModel(string path, PrecisionLock found, Workspace workspace, Place place)
    {
        if (found.Models.Select(m => m.Manifest.Model.Sha256).FirstOrDefault(hash => hash != workspace.Hash) is { } other)
        {
            throw Errors.LockModelDrift(place with { File = place.File ?? workspace.Original.DisplayName }, path, workspace.Original.DisplayName, other, workspace.Hash);
        }
    }

    /// <summary>The policy is that of the lock, so that it asks for the models that the lock is of.</summary>
    /// <exception cref="MixedPrecisionException">MPB8009: it does not.</exception>
    public static void CheckModels(string path, PrecisionLock found, Policy policy)
    {
        string[] locked = [.. found.Models.Select(m => m.Manifest.Output.File)], own = [.. ScenarioFiles.Of(policy).Select(f => f.Model).DefaultIfEmpty(Delivery.NameOf(policy))];
        if (!locked.SequenceEqual(own))
        {
            throw Errors.LockInvalid(path, $"it is of {Wording.List(locked)}, and the policy asks for {Wording.List(own)}");
        }
    }

    /// <summary>Data are not read, and need not be there; those that are there have to be those that the plan was made with.</summary>
    /// <returns>Paths of those that are not there, as the policy writes them.</returns>
    /// <exception cref="MixedPrecisionException">MPB8012: a file has changed.</exception>
    public static IReadOnlyList<string> CheckData(string path, PrecisionLock found, Policy policy)
    {
        IReadOnlyList<LockedFile> own = DataOf(policy);
        foreach (LockedFile file in own)
        {
            string? locked = found.Data.FirstOrDefault(d => d.Key == file.Key)?.Sha256;
            if (locked != file.Sha256)
            {
                throw Errors.LockDataDrift(policy.PlaceOf(file.Key), path, FilesOf(policy).First(f => f.Key == file.Key).Path, locked ?? Nothing, file.Sha256);
            }
        }

        return [.. FilesOf(policy).Where(f => own.All(o => o.Key != f.Key)).Select(f => f.Path)];
    }

    /// <summary>Nothing is measured, so that it does not matter what the tool runs: what was measured is what ships only where the app runs the version of the lock.</summary>
    /// <param name="app">Version of the app's ONNX Runtime; null: none that is known.</param>
    /// <returns>MPB9011, where it is another one; else null.</returns>
    public static Diagnostic? OfRuntime(string path, PrecisionLock found, string? app)
    {
        string locked = found.Models[0].Manifest.Machine.Runtime;

        // A package may have a suffix that its library does not tell.
        return app is null or "" || app.Split('-', '+')[0] == locked ? null : Errors.OtherRuntimeThanLocked(path, app, locked);
    }

    private static IEnumerable<(string Key, string Path, bool IsData)> FilesOf(Policy policy) => PolicyFiles.Of(policy)
        .Where(f => f.Key is "calibration.data" or "evaluation.data" or PolicyFiles.Profile || f.Key.EndsWith(".file", StringComparison.Ordinal))
        .Select(f => (f.Key, f.Path, f.Key != PolicyFiles.Profile && !f.Key.EndsWith(".file", StringComparison.Ordinal)));
}
