using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Reporting.Page;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>What <see cref="Verbs.Quantize"/> made.</summary>
/// <param name="Manifests">The manifests, each of which stands beside its model.</param>
/// <param name="Files">Full paths of the files written: external data if any, models, and of each the manifest and the report for people.</param>
/// <param name="InputFiles">Full paths of the files read.</param>
public sealed record QuantizeResult(IReadOnlyList<Manifest> Manifests, IReadOnlyList<string> Files, IReadOnlyList<string> InputFiles)
{
    /// <summary>The manifest of the model, of several the first.</summary>
    public Manifest Manifest => Manifests[0];

    public string ToJson() => ReportDocuments.Together([.. Manifests.Select(m => m.ToJson())]);

    public IEnumerable<string> ToLines() => PlanText.Lines(Manifests);
}

/// <summary>A file that was made for some scenarios, with what there is to say of it.</summary>
/// <param name="Materials">What it was made of; the scenarios that count for it.</param>
/// <param name="Runner">Has the warnings of making it.</param>
internal sealed record Made(Materials Materials, StageRunner Runner, Shipped Shipped, IReadOnlyList<SessionAdvice> Advice)
{
    /// <param name="shared">The data that it shares with others, or null.</param>
    public Delivered Delivered(SharedData? shared = null) => new(Shipped.Emitted, Shipped.Configurations, Reports.Manifest(Materials, Runner, Shipped, Advice, shared));
}

/// <summary>A model as it is put into its place, with its manifest.</summary>
/// <param name="Plan">What it was emitted from: a configuration by sub-graph.</param>
internal sealed record Delivered(EmittedModel Emitted, IReadOnlyList<Configuration> Plan, Manifest Manifest);

/// <summary>Puts what was made into the output folder, whole or not at all.</summary>
internal static class Delivery
{
    /// <summary>Refuses to start where an emitted file would replace an input of the run, or what another policy emitted.</summary>
    public static void Guard(Policy policy, Workspace workspace, IReadOnlyList<string> inputFiles, string outputFolder)
    {
        IReadOnlyList<ScenarioFile> files = ScenarioFiles.Of(policy);
        string[] models = [.. files.Select(f => f.Model).DefaultIfEmpty(NameOf(policy)).Select(name => Path.Combine(Path.GetFullPath(outputFolder), name))];
        string[] manifests = [.. models.Select(m => Path.ChangeExtension(m, ManifestFile.Extension))];
        string[] data = files.Count > 0 ? [Path.Combine(Path.GetFullPath(outputFolder), ScenarioFiles.DataOf(policy))] : workspace.ExternalFiles.Count > 0 ? [models[0] + ".data"] : [];
        OutputGuard.Check([.. models, .. manifests, .. models.Select(m => Path.ChangeExtension(m, ReportPage.Extension)), .. data], inputFiles);
        foreach (string manifest in manifests)
        {
            OutputGuard.CheckOwner(manifest, Path.GetFileName(policy.File), policy.Model);
        }
    }

    public static QuantizeResult Deliver(Materials materials, StageRunner runner, string outputFolder)
    {
        using StagingFolder staging = StagingFolder.In(Path.GetFullPath(outputFolder));
        return Ship(staging, Make(materials, runner, staging.Folder), materials.InputFiles);
    }

    /// <summary>Makes the file of the policy's plan, or that of each scenario which has a plan of its own, in a folder.</summary>
    public static IReadOnlyList<Delivered> Make(Materials materials, StageRunner runner, string staging)
    {
        Judgement judged = Steps.Judge(materials, runner);
        IReadOnlyList<ScenarioFile> files = ScenarioFiles.Of(materials.Policy);
        if (files.Count == 0)
        {
            return [Make(materials, runner, judged, staging).Delivered()];
        }

        var made = new List<Made>();
        foreach ((int index, ScenarioFile file) in files.Index())
        {
            runner.Log.Say("scenario", $"{Wording.Quote(file.Label)}, {index + 1} of {files.Count}: {file.Model}");
            string folder = Path.Combine(staging, $"scenario {index}");
            made.Add(Make(materials.For(file), runner.Branch(), judged, folder));
            string kept = Path.GetDirectoryName(made[^1].Shipped.Emitted.Path)!;
            // The files that it was chosen from may be large.
            Array.ForEach([.. Directory.GetDirectories(folder).Where(f => f != kept)], f => Directory.Delete(f, recursive: true));
        }

        return Sharing.Share(made, Path.Combine(staging, "shared"), ScenarioFiles.DataOf(materials.Policy));
    }

    /// <summary>Makes the file of the scenarios that the materials hold, in a folder.</summary>
    private static Made Make(Materials materials, StageRunner runner, Judgement judged, string folder)
    {
        Shipped shipped = new Shipment(materials, runner, judged, folder, NameOf(materials.Policy)).Run();
        return new Made(materials, runner, shipped, Advising.Of(materials, runner, shipped));
    }

    /// <summary>Puts models, the manifest of each and the report of it into their places; what several have beside them goes once.</summary>
    public static QuantizeResult Ship(StagingFolder staging, IReadOnlyList<Delivered> delivered, IReadOnlyList<string> inputFiles)
    {
        string[] files = [.. delivered.SelectMany(d => d.Emitted.Files.Concat(Describe(d, staging.Folder))).Distinct()];
        return new QuantizeResult([.. delivered.Select(d => d.Manifest)], staging.Ship(files), inputFiles);
    }

    /// <summary>Writes the manifest of a model and the report of it.</summary>
    private static string[] Describe(Delivered delivered, string folder)
    {
        string model = Path.Combine(folder, Path.GetFileName(delivered.Emitted.Path));
        string manifest = Path.ChangeExtension(model, ManifestFile.Extension), report = Path.ChangeExtension(model, ReportPage.Extension);
        File.WriteAllText(manifest, delivered.Manifest.ToJson());
        File.WriteAllText(report, ReportPage.Write(delivered.Manifest));
        return [manifest, report];
    }

    /// <summary>File name of the emitted model.</summary>
    public static string NameOf(Policy policy) => policy.Output ?? Path.GetFileNameWithoutExtension(policy.Model) + ".mixed.onnx";
}
