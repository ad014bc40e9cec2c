using MixedPrecision.Caching;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;
using MixedPrecision.Verification;

namespace MixedPrecision.Pipeline;

/// <summary>A layer with the format that it is rewritten to.</summary>
internal sealed record LayerFormat(string Layer, FormatVersion Format);

/// <summary>What the stage that writes a model reads.</summary>
/// <param name="Name">File name of the emitted model, which refers to its external data by it.</param>
/// <param name="Layers">The layers that do not stay as they are.</param>
internal sealed record EmitInput(Content<Workspace> Model, string Name, IReadOnlyList<LayerFormat> Layers);

/// <summary>A model that was written, with the files beside it.</summary>
/// <param name="Files">Full paths; the model is the last.</param>
internal sealed record EmittedModel(IReadOnlyList<string> Files)
{
    /// <summary>Full path of the model.</summary>
    public string Path => Files[^1];

    /// <summary>Bytes of all files.</summary>
    public long Bytes { get; } = Files.Sum(f => new FileInfo(f).Length);

    /// <summary>SHA-256 over the files.</summary>
    public string Hash { get; } = ModelFiles.HashOf(Files);

    /// <summary>The model as stages read it: its path, with its content in the key.</summary>
    public Content<string> Content => new(CacheKey.Of(("content", Hash)), () => Path);
}

/// <summary>The stage that writes the model of a plan. Its artifact is one or two files.</summary>
internal static class Emission
{
    private const string Stage = "quantize";
    private const int Version = 4;

    /// <summary>Puts the model of a plan, and its external data if it has any, into a folder, and reads the plan back from it.</summary>
    /// <param name="formats">By sub-graph and layer.</param>
    /// <param name="name">File name of the model.</param>
    public static EmittedModel Write(StageRunner runner, Content<Workspace> model, IReadOnlyList<IReadOnlyList<string>> formats, string folder, string name)
    {
        Workspace workspace = model.Value;
        (LayerSite Site, NumberFormat Format)[] plan = [.. workspace.Partition.Subgraphs
            .SelectMany(s => s.Layers.Zip(formats[s.Index], (layer, format) => (workspace.Sites[layer.Name], NumberFormats.Get(format))))];
        (LayerSite Site, NumberFormat Format)[] changed = [.. plan.Where(p => p.Format != NumberFormats.Baseline)];
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, name);
        string[] files = workspace.ExternalFiles.Count > 0 ? [path, path + ".data"] : [path];
        var input = new EmitInput(model, name, [.. changed.Select(a => new LayerFormat(a.Site.Layer.Name, FormatVersion.Of(a.Format)))]);
        runner.GetFiles(Stage, Version, input, files, () => Quantizer.Write(workspace.Model, changed, workspace.Weight, path));
        Conformance.Check(workspace.Model, path, plan, workspace.Weight);
        return new EmittedModel([.. files.Reverse()]);
    }

    /// <summary>
    /// Puts the original into a folder under another name: byte for byte; where it has external data, that lies in one file beside it, which the model refers to by name.
    /// </summary>
    public static EmittedModel Keep(StageRunner runner, Content<Workspace> model, string folder, string name)
    {
        if (model.Value.ExternalFiles.Count > 0)
        {
            return Write(runner, model, [.. model.Value.Partition.Subgraphs.Select(s => (IReadOnlyList<string>)[.. s.Layers.Select(_ => Problems.Baseline)])], folder, name);
        }

        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, name);
        File.Copy(model.Value.Path, path);
        return new EmittedModel([path]);
    }
}
