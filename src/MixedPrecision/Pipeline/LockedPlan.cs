using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Policies;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>A lock's plan for a model: what took calibration, timings and the solver, read.</summary>
internal static class LockedPlan
{
    /// <summary>Configurations of all sub-graphs; the model's layers then have what the lock holds of them for this plan.</summary>
    /// <param name="path">The lock.</param>
    /// <param name="found">What it says.</param>
    /// <param name="own">What it says of the model that is emitted.</param>
    /// <param name="workspace">The model that it is of.</param>
    /// <param name="constants">Its file of constants, or null; read when a constant is asked for, so that it has to stay open.</param>
    /// <exception cref="MixedPrecisionException">MPB8009: the lock contradicts itself. MPB8014: the plan does not fit the model.</exception>
    public static IReadOnlyList<Configuration> Read(string path, PrecisionLock found, LockedModel own, Workspace workspace, FileStream? constants)
    {
        workspace.Unlock();
        IReadOnlyList<Configuration> plan = Configurations(path, own, workspace);
        ILookup<string, LockedLayer> layers = ByName(path, own);
        IReadOnlyDictionary<string, LayerSite> producers = Balancing.Producers(workspace.Partition.View, workspace.Sites);
        workspace.Lock(site => layers.Contains(site.Layer.Name) ? Locked(path, site, [.. layers[site.Layer.Name]], producers, constants) : site);
        Check(path, workspace, plan, layers);
        LockDrift.CheckStructures(path, found, workspace, plan);
        return plan;
    }

    private static IReadOnlyList<Configuration> Configurations(string path, LockedModel found, Workspace workspace)
    {
        IReadOnlyList<PlannedSubgraph> planned = found.Manifest.Subgraphs;
        IReadOnlyList<Partitioning.Subgraph> own = workspace.Partition.Subgraphs;
        if (planned.Count != own.Count)
        {
            throw Errors.LockPlanDrift(new Place(path), $"it has {planned.Count} sub-graphs", $"this tool finds {own.Count} in the model");
        }

        foreach ((PlannedSubgraph wanted, Partitioning.Subgraph subgraph) in planned.Zip(own))
        {
            if (wanted.Index != subgraph.Index || wanted.Fingerprint != subgraph.Fingerprint || !wanted.Layers.Select(l => l.Name).SequenceEqual(subgraph.Layers.Select(l => l.Name)))
            {
                throw Errors.LockPlanDrift(new Place(path, Node: subgraph.Layers is [var first, ..] ? first.Name : null), $"sub-graph {subgraph.Index} has the layers {Wording.List([.. wanted.Layers.Select(l => l.Name)])}",
                    $"this tool finds {Wording.List([.. subgraph.Layers.Select(l => l.Name)])}, or another structure around them");
            }

            foreach (PlannedLayer layer in wanted.Layers.Where(l => FormatId.TryParse(l.Format, out _) is not { IsOpen: false } format || format.Text != l.Format))
            {
                throw Errors.LockInvalid(path, $"layer {Wording.Quote(layer.Name)} has {Wording.Quote(layer.Format)}, which is the full name of no format");
            }

            if (wanted.Structure != Structure.Exported
                && (workspace.StructuresOf(subgraph).FirstOrDefault(f => f.Structure.Name == wanted.Structure) is not { } structure
                    || wanted.Layers.Any(l => structure.Match.Fixed.TryGetValue(l.Name, out string? format) && FormatId.Parse(format).Family != FormatId.Parse(l.Format).Family)))
            {
                throw Errors.LockPlanDrift(new Place(path, Node: subgraph.Layers is [var first, ..] ? first.Name : null), $"sub-graph {subgraph.Index} is written as {Wording.Quote(wanted.Structure)}", "the model has no such structure there, or one with other formats");
            }
        }

        return [.. planned.Select(s => new Configuration(s.Structure, [.. s.Layers.Select(l => l.Format)]))];
    }

    private static ILookup<string, LockedLayer> ByName(string path, LockedModel found)
    {
        Dictionary<string, string> formats = found.Manifest.Subgraphs.SelectMany(s => s.Layers).ToDictionary(l => l.Name, l => l.Format);
        var seen = new HashSet<(string, string)>();
        foreach (LockedLayer layer in found.Layers)
        {
            if (formats.GetValueOrDefault(layer.Name) != layer.Format || !seen.Add((layer.Name, layer.Weight)))
            {
                throw Errors.LockInvalid(path, $"what it holds of layer {Wording.Quote(layer.Name)} is not what its plan asks for");
            }
        }

        return found.Layers.ToLookup(l => l.Name, StringComparer.Ordinal);
    }

    private static LayerSite Locked(string path, LayerSite site, IReadOnlyList<LockedLayer> weights, IReadOnlyDictionary<string, LayerSite> producers, FileStream? constants)
    {
        LockedLayer first = weights[0];
        if (weights.Any(w => w.Stored is not null) && constants is null)
        {
            throw Errors.LockInvalid(path, $"constants of layer {Wording.Quote(first.Name)} lie in a file that it does not name");
        }

        LockedPart? balanced = weights.Select(w => w.Stored).FirstOrDefault(p => p is { IsBalanced: true });
        if (balanced is not null && !producers.ContainsKey(first.Name))
        {
            throw Errors.LockPlanDrift(new Place(path, Node: first.Name), "channels of its input are balanced", "no layer of the model could do that");
        }

        return site with
        {
            IsObserved = true,
            Ranges = RangesOf(path, first),
            Balance = balanced is null ? null : new ChannelBalance(producers[first.Name].Layer.Name, null, () => Stored(path, first, () => LockBinary.Scales(constants!, balanced, site.InputSize))),
            Locked = weights.ToDictionary(w => w.Weight, w => new LockedConstants(w.Format, w.Sha256, plain => Checked(path, w, w.Stored is not { } part
                ? plain : Stored(path, w, () => LockBinary.Restore(constants!, part, part.IsBalanced ? site.InputSize * sizeof(float) : 0, plain))))),
        };
    }

    private static T Stored<T>(string path, LockedLayer layer, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            throw Errors.LockInvalid(LockFile.BinaryOf(path), $"of layer {Wording.Quote(layer.Name)}: {e.Message}");
        }
    }

    private static LayerRanges? RangesOf(string path, LockedLayer layer)
    {
        if (layer.Ranges is not { } ranges)
        {
            return null;
        }

        bool areRanges = new[] { ranges.Input, ranges.Output, ranges.Pooled, ranges.Inner }.OfType<ValueRange>().All(r => float.IsFinite(r.Low) && float.IsFinite(r.High) && r.Low <= 0 && r.High >= 0);
        return areRanges ? ranges : throw Errors.LockInvalid(path, $"a range of layer {Wording.Quote(layer.Name)} does not go from a number up to 0 to one from 0 on");
    }

    private static IReadOnlyList<Tensor> Checked(string path, LockedLayer layer, IReadOnlyList<Tensor> constants) => LockedConstants.HashOf(constants) is var hash && hash == layer.Sha256
        ? constants
        : throw Errors.LockPlanDrift(new Place(path, Node: layer.Name), $"its constants in {layer.Format} have the SHA-256 {layer.Sha256}", $"this tool makes them with {hash}");

    /// <summary>Every layer that changes may do so, and the lock holds what its format needs.</summary>
    private static void Check(string path, Workspace workspace, IReadOnlyList<Configuration> plan, ILookup<string, LockedLayer> layers)
    {
        foreach ((LayerSite site, NumberFormat format) in Emission.PlanOf(workspace, Emission.LayersOf(workspace, plan)).Where(l => l.Format != NumberFormats.Baseline))
        {
            if (!site.ByWeight.All(own => layers[site.Layer.Name].Any(l => l.Weight == own.Layer.Weight)))
            {
                throw Errors.LockInvalid(path, $"it holds no constants of layer {Wording.Quote(site.Layer.Name)}, which its plan has in {format.Name}");
            }

            if (format.WhyNot(site) is string reason)
            {
                throw Errors.LockPlanDrift(new Place(path, Node: site.Layer.Name), $"it is in {format.Name}", reason);
            }

            if (format.ReadsRanges && (site.Ranges is not { } ranges || (site.RangesOf.Output is not null && ranges.Output is null) || (site.Inner is not null && ranges.Inner is null)))
            {
                throw Errors.LockInvalid(path, $"it holds no ranges of layer {Wording.Quote(site.Layer.Name)}, which {format.Name} needs");
            }
        }
    }
}
