using MixedPrecision.Onnx;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Cli;

/// <summary>What <c>quantize</c> tells a build: a sentence for each model, and all else in a file beside its manifest.</summary>
internal static class BuildResult
{
    /// <summary>Of the file beside the manifest: model.mixed.report.txt.</summary>
    public const string Extension = ".report.txt";

    /// <param name="policy">Path of the policy.</param>
    /// <param name="folder">Full path of the folder of the emitted files, which is the build's own.</param>
    public static void Tell(QuantizeResult result, string policy, string folder, MSBuildReporter reporter)
    {
        reporter.Details(result.ToLines());
        string[] originals = OriginalsOf(result.Manifest.Model, Path.GetDirectoryName(Path.GetFullPath(policy))!);
        foreach (Manifest manifest in result.Manifests)
        {
            string sentence = ResultSentence.Of(manifest);
            File.WriteAllLines(Path.Combine(folder, Path.ChangeExtension(manifest.Output.File, Extension)), [sentence, "", .. manifest.ToLines()]);
            reporter.Emitted(sentence, manifest.Output.File, originals);
        }
    }

    /// <summary>Full paths of the model's files. It is opened only where its size says that it has tensors in others.</summary>
    private static string[] OriginalsOf(ModelSummary model, string folder)
    {
        string path = Path.GetFullPath(model.File, folder);
        if (model.Bytes == new FileInfo(path).Length)
        {
            return [path];
        }

        using OnnxModel opened = OnnxModel.Load(path);
        return [path, .. ModelFiles.External(opened)];
    }
}
