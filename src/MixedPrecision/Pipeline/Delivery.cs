using MixedPrecision.Caching;
using MixedPrecision.Policies;
using MixedPrecision.Reporting;
using MixedPrecision.Reporting.Page;

namespace MixedPrecision.Pipeline;

/// <summary>What <see cref="Verbs.Quantize"/> made.</summary>
/// <param name="Manifest">The manifest, which stands beside the model.</param>
/// <param name="Files">Full paths of the files written: the model, its external data if any, the manifest, the report for people.</param>
/// <param name="InputFiles">Full paths of the files read.</param>
public sealed record QuantizeResult(Manifest Manifest, IReadOnlyList<string> Files, IReadOnlyList<string> InputFiles)
{
    public string ToJson() => Manifest.ToJson();

    public IEnumerable<string> ToLines() => Manifest.ToLines();
}

/// <summary>Puts what was made into the output folder, whole or not at all.</summary>
internal static class Delivery
{
    /// <summary>Refuses to start where an emitted file would replace an input of the run, or what another policy emitted.</summary>
    public static void Guard(Materials materials, string outputFolder)
    {
        string path = Path.Combine(Path.GetFullPath(outputFolder), NameOf(materials.Policy));
        string manifest = Path.ChangeExtension(path, ManifestFile.Extension);
        OutputGuard.Check([path, manifest, Path.ChangeExtension(path, ReportPage.Extension), .. materials.Workspace.ExternalFiles.Count > 0 ? [path + ".data"] : Array.Empty<string>()], materials.InputFiles);
        OutputGuard.CheckOwner(manifest, Path.GetFileName(materials.Policy.File), materials.Policy.Model);
    }

    public static QuantizeResult Deliver(Materials materials, StageRunner runner, string outputFolder)
    {
        string name = NameOf(materials.Policy);
        using StagingFolder staging = StagingFolder.In(Path.GetFullPath(outputFolder));
        Shipped shipped = new Shipment(materials, runner, staging.Folder, name).Run();
        Manifest manifest = Reports.Manifest(materials, runner, shipped, Advising.Of(materials, runner, shipped));
        string manifestPath = Path.Combine(staging.Folder, Path.ChangeExtension(name, ManifestFile.Extension));
        File.WriteAllText(manifestPath, manifest.ToJson());
        string reportPath = Path.Combine(staging.Folder, Path.ChangeExtension(name, ReportPage.Extension));
        File.WriteAllText(reportPath, ReportPage.Write(manifest));
        return new QuantizeResult(manifest, staging.Ship([.. shipped.Emitted.Files, manifestPath, reportPath]), materials.InputFiles);
    }

    /// <summary>File name of the emitted model.</summary>
    public static string NameOf(Policy policy) => policy.Output ?? Path.GetFileNameWithoutExtension(policy.Model) + ".mixed.onnx";
}
