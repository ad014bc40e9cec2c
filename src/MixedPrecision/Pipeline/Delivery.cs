using MixedPrecision.Diagnostics;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>What <see cref="Verbs.Quantize"/> made.</summary>
/// <param name="Manifest">The manifest, which stands beside the model.</param>
/// <param name="Files">Full paths of the files written: the model, its external data if any, the manifest.</param>
/// <param name="InputFiles">Full paths of the files read.</param>
public sealed record QuantizeResult(Manifest Manifest, IReadOnlyList<string> Files, IReadOnlyList<string> InputFiles)
{
    public string ToJson() => Manifest.ToJson();

    public IEnumerable<string> ToLines() => Manifest.ToLines();
}

/// <summary>Puts what was made into the output folder, whole or not at all.</summary>
internal static class Delivery
{
    public static QuantizeResult Deliver(Materials materials, StageRunner runner, string outputFolder)
    {
        string name = materials.Policy.Output ?? Path.GetFileNameWithoutExtension(materials.Policy.Model) + ".mixed.onnx";
        string manifestName = Path.GetFileNameWithoutExtension(name) + ".precision.json";
        string folder = Path.GetFullPath(outputFolder);
        bool isNew = !Directory.Exists(folder);
        string staging = Path.Combine(folder, $".mixed-precision-{Guid.NewGuid():N}");
        try
        {
            Directory.CreateDirectory(staging);
            Shipped shipped = new Shipment(materials, runner, staging, name).Run();
            Manifest manifest = Reports.Manifest(materials, runner, shipped);
            string manifestPath = Path.Combine(staging, manifestName);
            File.WriteAllText(manifestPath, manifest.ToJson());
            string[] delivered = [.. shipped.Emitted.Files.Append(manifestPath).Select(file =>
            {
                string target = Path.Combine(folder, Path.GetFileName(file));
                File.Move(file, target, overwrite: true);
                return target;
            })];
            return new QuantizeResult(manifest, delivered, materials.InputFiles);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.OutputNotWritable(outputFolder, e.Message);
        }
        finally
        {
            if (Directory.Exists(staging))
            {
                Directory.Delete(staging, recursive: true);
            }

            if (isNew && Directory.Exists(folder) && !Directory.EnumerateFileSystemEntries(folder).Any())
            {
                Directory.Delete(folder);
            }
        }
    }
}
