using System.Runtime.CompilerServices;
using MixedPrecision.Caching;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>A layer with the format that it is rewritten to.</summary>
/// <param name="Observed">Identifies what calibration saw the layer read and give, or what a lock has made of it, where its format was made with that; else null.</param>
internal sealed record LayerFormat(string Layer, FormatVersion Format, string? Observed);

/// <summary>A sub-graph with the structure that it is rewritten to.</summary>
internal sealed record SubgraphStructure(int Subgraph, string Name, int Version);

/// <summary>What the stage that writes a model reads.</summary>
/// <param name="Name">File name of the emitted model, which refers to its external data by it.</param>
/// <param name="Layers">The layers that do not stay as they are.</param>
/// <param name="Structures">The sub-graphs that do not stand as exported.</param>
/// <param name="IsApart">Whether weights lie in a file beside the model also where the original has none.</param>
internal sealed record EmitInput(Content<Workspace> Model, string Name, IReadOnlyList<LayerFormat> Layers, IReadOnlyList<SubgraphStructure> Structures, bool IsApart);

/// <summary>A model that was written, with the files beside it.</summary>
/// <param name="Files">Full paths; the model is the last.</param>
internal sealed record EmittedModel(IReadOnlyList<string> Files)
{
    /// <summary>Full path of the model.</summary>
    public string Path => Files[^1];

    /// <summary>Bytes of all files; of data that it shares with others those that it refers to.</summary>
    public long Bytes { get; init; } = Files.Sum(f => new FileInfo(f).Length);

    /// <summary>SHA-256 over the files.</summary>
    public string Hash { get; } = ModelFiles.HashOf(Files);

    /// <summary>The model as stages read it: its path, with its content in the key.</summary>
    public Content<string> Content => new(CacheKey.Of(("content", Hash)), () => Path);
}

/// <summary>The stage that writes the model of a plan. Its artifact is one or two files.</summary>
internal static class Emission
{
    private const string Stage = "quantize";
    public const int Version = 5;

    /// <summary>Texts of ranges, which all plans of a frontier ask for.</summary>
    private static readonly ConditionalWeakTable<LayerRanges, string> Texts = [];

    /// <summary>Puts the model of a plan, and its external data if it has any, into a folder.</summary>
    /// <param name="plan">A configuration by sub-graph.</param>
    /// <param name="name">File name of the model.</param>
    /// <param name="isApart">Whether weights lie in a file beside it also where the original has none.</param>
    public static EmittedModel Write(
        StageRunner runner, Content<Workspace> model, IReadOnlyList<Configuration> plan, string folder, string name, Preparations preparations, bool isApart = false)
    {
        Workspace workspace = model.Value;
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, name);
        string[] files = HasData(workspace, isApart) ? [path, path + ".data"] : [path];
        var input = new EmitInput(model, name, LayersOf(workspace, plan), StructuresOf(workspace, plan), isApart);
        runner.GetFiles(Stage, Version, input, files, () => Make(workspace, input.Layers, input.Structures, path, preparations, isApart));
        return new EmittedModel([.. files.Reverse()]);
    }

    /// <summary>The same as it lies in the cache, where an earlier run wrote it; null where none did.</summary>
    public static EmittedModel? Find(StageRunner runner, Content<Workspace> model, IReadOnlyList<Configuration> plan, string name, bool isApart)
    {
        Workspace workspace = model.Value;
        int files = HasData(workspace, isApart) ? 2 : 1;
        return runner.FindFiles(Stage, Version, new EmitInput(model, name, LayersOf(workspace, plan), StructuresOf(workspace, plan), isApart), files) is { } found ? new EmittedModel([.. found.Reverse()]) : null;
    }

    /// <summary>The same for a model that is measured and not shipped: it does not go to the cache, which the many of an experiment would fill.</summary>
    public static EmittedModel Draft(Workspace workspace, IReadOnlyList<Configuration> plan, string folder, string name, Preparations preparations)
    {
        Directory.CreateDirectory(folder);
        return new EmittedModel(Make(workspace, LayersOf(workspace, plan), StructuresOf(workspace, plan), Path.Combine(folder, name), preparations));
    }

    /// <summary>What plans are compared with where the gain of exact rewrites is none of theirs: the original, or where that was rewritten at no loss, the rewritten model, drafted in a folder.</summary>
    public static Content<string> Reference(Workspace workspace, string folder, string name, Preparations preparations) =>
        workspace.MayGainAsItIs ? Draft(workspace, Reports.Baselines(workspace), folder, name, preparations).Content : Shipment.PathOf(workspace);

    /// <summary>The layers that leave the baseline, in the model's order.</summary>
    public static IReadOnlyList<LayerFormat> LayersOf(Workspace workspace, IReadOnlyList<Configuration> plan) =>
    [
        .. workspace.Partition.Subgraphs.SelectMany(s => s.Layers.Zip(plan[s.Index].Formats, (layer, format) => (layer.Name, Format: NumberFormats.Get(format))))
            .Where(l => l.Format != NumberFormats.Baseline)
            .Select(l => new LayerFormat(l.Name, FormatVersion.Of(l.Format), Observed(workspace.Sites[l.Name], l.Format))),
    ];

    /// <summary>What calibration saw, or a lock holds, that decides on what a format writes, or null.</summary>
    private static string? Observed(LayerSite site, NumberFormat format)
    {
        string? moments = format.ReadsMoments ? HeldBy(site) ?? site.Moments?.Hash : null, ranges = format.ReadsRanges && site.Ranges is { } own ? Texts.GetValue(own, r => r.Text) : null;
        return moments is null ? ranges : ranges is null ? moments : $"{moments} {ranges}";
    }

    /// <summary>Identifies the constants that a lock holds of a layer; null without a lock.</summary>
    private static string? HeldBy(LayerSite site) => site.Locked is null ? null : string.Join(' ', site.Locked.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => l.Value.Hash));

    /// <summary>The sub-graphs that do not stand as exported.</summary>
    public static IReadOnlyList<SubgraphStructure> StructuresOf(Workspace workspace, IReadOnlyList<Configuration> plan) =>
    [
        .. workspace.Partition.Subgraphs.Where(s => plan[s.Index].Structure != Structure.Exported)
            .Select(s => workspace.StructuresOf(s).First(f => f.Structure.Name == plan[s.Index].Structure) is var found
                ? new SubgraphStructure(s.Index, found.Structure.Name, found.Structure.Version) : throw new InvalidOperationException()),
    ];

    /// <summary>The structures as they were found.</summary>
    public static IReadOnlyList<FoundStructure> FoundOf(Workspace workspace, IReadOnlyList<SubgraphStructure> structures) =>
        [.. structures.Select(s => workspace.StructuresOf(workspace.Partition.Subgraphs[s.Subgraph]).First(f => f.Structure.Name == s.Name))];

    /// <summary>Every layer of the model with its format.</summary>
    public static (LayerSite Site, NumberFormat Format)[] PlanOf(Workspace workspace, IReadOnlyList<LayerFormat> layers)
    {
        var formats = layers.ToDictionary(l => l.Layer, l => NumberFormats.Get(l.Format.Name));
        return [.. workspace.Partition.Layers.Select(l => (workspace.Sites[l.Name], formats.GetValueOrDefault(l.Name, NumberFormats.Baseline)))];
    }

    private static bool HasData(Workspace workspace, bool isApart) => isApart || workspace.HasExternalData;

    private static IReadOnlyList<string> Make(
        Workspace workspace, IReadOnlyList<LayerFormat> layers, IReadOnlyList<SubgraphStructure> structures, string path, Preparations preparations, bool isApart = false) =>
        Quantizer.Write(workspace.Model, PlanOf(workspace, layers), workspace.Weight, path, preparations, [.. FoundOf(workspace, structures).Select(s => s.Match)], isApart);

    /// <summary>
    /// Puts the original into a folder under another name: byte for byte; where it has external data or is to have some, that lies in one file beside it, which the model refers to by name.
    /// </summary>
    public static EmittedModel Keep(StageRunner runner, Content<Workspace> model, string folder, string name, Preparations preparations, bool isApart = false)
    {
        if (isApart || model.Value.ExternalFiles.Count > 0)
        {
            // As the file has it, also where planning took its initializers for constants or folded some.
            using Workspace original = Workspace.Open(model.Value.Path, model.Value.Model.DisplayName, keepDefaults: true, isRewritten: false);
            return Write(
                runner, Shipment.ModelOf(original), Reports.Baselines(original), folder, name, preparations, isApart);
        }

        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, name);
        File.Copy(model.Value.Path, path);
        return new EmittedModel([path]);
    }
}
