using MixedPrecision.Caching;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;

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

    /// <summary>Puts the model of a plan, and its external data if it has any, into a folder.</summary>
    /// <param name="formats">By sub-graph and layer.</param>
    /// <param name="name">File name of the model.</param>
    public static EmittedModel Write(
        StageRunner runner, Content<Workspace> model, IReadOnlyList<IReadOnlyList<string>> formats, string folder, string name, Preparations preparations)
    {
        Workspace workspace = model.Value;
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, name);
        string[] files = workspace.ExternalFiles.Count > 0 ? [path, path + ".data"] : [path];
        var input = new EmitInput(model, name, LayersOf(workspace, formats));
        runner.GetFiles(Stage, Version, input, files, () => Quantizer.Write(
            workspace.Model, PlanOf(workspace, input.Layers), workspace.Weight, path, preparations));
        return new EmittedModel([.. files.Reverse()]);
    }

    /// <summary>The layers that leave the baseline, in the model's order.</summary>
    public static IReadOnlyList<LayerFormat> LayersOf(Workspace workspace, IReadOnlyList<IReadOnlyList<string>> formats) =>
    [
        .. workspace.Partition.Subgraphs.SelectMany(s => s.Layers.Zip(formats[s.Index], (layer, format) => (layer.Name, Format: NumberFormats.Get(format))))
            .Where(l => l.Format != NumberFormats.Baseline)
            .Select(l => new LayerFormat(l.Name, FormatVersion.Of(l.Format))),
    ];

    /// <summary>Every layer of the model with its format.</summary>
    public static (LayerSite Site, NumberFormat Format)[] PlanOf(Workspace workspace, IReadOnlyList<LayerFormat> layers)
    {
        var formats = layers.ToDictionary(l => l.Layer, l => NumberFormats.Get(l.Format.Name));
        return [.. workspace.Partition.Layers.Select(l => (workspace.Sites[l.Name], formats.GetValueOrDefault(l.Name, NumberFormats.Baseline)))];
    }

    /// <summary>
    /// Puts the original into a folder under another name: byte for byte; where it has external data, that lies in one file beside it, which the model refers to by name.
    /// </summary>
    public static EmittedModel Keep(StageRunner runner, Content<Workspace> model, string folder, string name, Preparations preparations)
    {
        if (model.Value.ExternalFiles.Count > 0)
        {
            // As the file has it, also where planning took its initializers for constants.
            using Workspace original = Workspace.Open(model.Value.Path, model.Value.Model.DisplayName, keepDefaults: true);
            return Write(
                runner, Shipment.ModelOf(original), Reports.Baselines(original), folder, name, preparations);
        }

        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, name);
        File.Copy(model.Value.Path, path);
        return new EmittedModel([path]);
    }
}
