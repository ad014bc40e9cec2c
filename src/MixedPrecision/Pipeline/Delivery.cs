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
    public static void Guard(Policy policy, Workspace workspace, IReadOnlyList<string> inputFiles, string outputFolder)
    {
        string path = Path.Combine(Path.GetFullPath(outputFolder), NameOf(policy));
        string manifest = Path.ChangeExtension(path, ManifestFile.Extension);
        OutputGuard.Check([path, manifest, Path.ChangeExtension(path, ReportPage.Extension), .. workspace.ExternalFiles.Count > 0 ? [path + ".data"] : Array.Empty<string>()], inputFiles);
        OutputGuard.CheckOwner(manifest, Path.GetFileName(policy.File), policy.Model);
    }

    public static QuantizeResult Deliver(Materials materials, StageRunner runner, string outputFolder)
    {
        using StagingFolder staging = StagingFolder.In(Path.GetFullPath(outputFolder));
        (Shipped shipped, Manifest manifest) = Make(materials, runner, staging.Folder);
        return Ship(staging, materials.Policy, shipped.Emitted, manifest, materials.InputFiles);
    }

    /// <summary>Makes what is to be shipped, in a folder.</summary>
    public static (Shipped Shipped, Manifest Manifest) Make(Materials materials, StageRunner runner, string folder)
    {
        Shipped shipped = new Shipment(materials, runner, folder, NameOf(materials.Policy)).Run();
        return (shipped, Reports.Manifest(materials, runner, shipped, Advising.Of(materials, runner, shipped)));
    }

    /// <summary>Puts a model, its manifest and the report of it into their places.</summary>
    public static QuantizeResult Ship(StagingFolder staging, Policy policy, EmittedModel emitted, Manifest manifest, IReadOnlyList<string> inputFiles)
    {
        string manifestPath = Path.Combine(staging.Folder, Path.ChangeExtension(NameOf(policy), ManifestFile.Extension));
        File.WriteAllText(manifestPath, manifest.ToJson());
        string reportPath = Path.Combine(staging.Folder, Path.ChangeExtension(NameOf(policy), ReportPage.Extension));
        File.WriteAllText(reportPath, ReportPage.Write(manifest));
        return new QuantizeResult(manifest, staging.Ship([.. emitted.Files, manifestPath, reportPath]), inputFiles);
    }

    /// <summary>File name of the emitted model.</summary>
    public static string NameOf(Policy policy) => policy.Output ?? Path.GetFileNameWithoutExtension(policy.Model) + ".mixed.onnx";
}
