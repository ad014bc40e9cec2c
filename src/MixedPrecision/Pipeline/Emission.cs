using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Quantization;
using MixedPrecision.Solving;

namespace MixedPrecision.Pipeline;

/// <summary>The stage that writes the model of a plan. Its artifact is one or two files, so it is kept beside the other stages'.</summary>
internal static class Emission
{
    private const string Stage = "quantize";
    private const string DataStage = "quantize-data";

    /// <summary>Puts the emitted model, and its external data if it has any, into a folder.</summary>
    /// <param name="name">File name of the model.</param>
    /// <returns>Full paths of the files; the model is the last.</returns>
    public static IReadOnlyList<string> Write(PolicyRun run, Plan plan, string folder, string name)
    {
        StageRunner runner = run.Runner;
        (LayerSite Site, NumberFormat Format)[] assignments = [.. run.Workspace.Partition.Subgraphs
            .SelectMany(s => s.Layers.Zip(plan.Formats[s.Index], (layer, format) => (run.Workspace.Sites[layer.Name], NumberFormats.Get(format))))
            .Where(a => a.Item2 != NumberFormats.Baseline)];
        // The name is an input: the model refers to its external data by it.
        CacheKey key = CacheKey.Of(
            ("stage", Stage),
            ("model", run.Workspace.Hash),
            ("name", name),
            ("plan", string.Join("; ", assignments.Select(a => $"{a.Site.Layer.Name}={a.Format.Name}:{a.Format.Version}")))).With("version", 2);
        string path = Path.Combine(folder, name), data = path + ".data";
        bool hasData = run.Workspace.ExternalFiles.Count > 0;
        if (Reuse(run, Stage, key, path) && (!hasData || Reuse(run, DataStage, key, data)))
        {
            run.Options.Progress(new ProgressUpdate(Stage, "reused"));
            return hasData ? [data, path] : [path];
        }

        IReadOnlyList<string> files = runner.Timed(Stage, _ => Quantizer.Write(run.Workspace.Model, assignments, run.Workspace.Weight, path));
        foreach (string file in files)
        {
            runner.Store.PutFile(file == path ? Stage : DataStage, key, file);
        }

        return files;
    }

    private static bool Reuse(PolicyRun run, string stage, CacheKey key, string path)
    {
        string? stored = run.Runner.Store.TryGetFile(stage, key, out string? damage);
        if (damage is not null)
        {
            run.Options.Warn(Errors.CacheEntryDamaged(stage, damage));
        }

        if (stored is not null)
        {
            File.Copy(stored, path, overwrite: true);
        }

        return stored is not null;
    }
}
