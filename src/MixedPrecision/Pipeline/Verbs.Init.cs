using System.Text;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>How one begins.</summary>
public static partial class Verbs
{
    /// <summary>Writes a policy to begin with, and the schema beside it that editors check it by.</summary>
    /// <param name="modelFile">The model.</param>
    /// <param name="policyFile">Where the policy goes; null: beside the model, as model.policy.yaml.</param>
    /// <exception cref="MixedPrecisionException">MPB8015: a file stands there; MPB2xxx: the model cannot be read; MPB4xxx: it has no output that a loss can read; MPB8004: the policy cannot be written.</exception>
    public static PolicyDraft Init(string modelFile, string? policyFile, RunOptions options)
    {
        string policy = policyFile ?? Path.ChangeExtension(modelFile, ".policy.yaml");
        if (Path.Exists(policy))
        {
            throw Errors.PolicyExists(policy);
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(policy))!;
        using OnnxModel model = OnnxModel.Load(Path.GetFullPath(modelFile), modelFile);
        (string text, PolicyDraft draft) = PolicyDrafting.Write(model, policy, Path.GetRelativePath(folder, Path.GetFullPath(modelFile)).Replace(Path.DirectorySeparatorChar, '/'));
        options.Cancel.ThrowIfCancellationRequested();
        OutputFile.Write(policy, stream => stream.Write(Encoding.UTF8.GetBytes(text)), makesFolder: true);
        if (!Path.Exists(draft.Schema))
        {
            using Stream schema = typeof(Verbs).Assembly.GetManifestResourceStream(PolicyDrafting.Schema)!;
            OutputFile.Write(draft.Schema, schema.CopyTo);
        }

        return draft;
    }
}
