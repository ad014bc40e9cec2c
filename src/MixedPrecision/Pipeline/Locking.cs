using MixedPrecision.Caching;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Quantization;
using MixedPrecision.Reporting;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>What <see cref="Verbs.Lock"/> made.</summary>
/// <param name="Lock">The lock.</param>
/// <param name="Files">Full paths of the files written.</param>
public sealed record LockResult(PrecisionLock Lock, IReadOnlyList<string> Files)
{
    public string ToJson() => Lock.ToJson();

    public IEnumerable<string> ToLines() =>
        [.. Files.Select(f => $"locked: {Path.GetFileName(f)}, {ReportText.Bytes(new FileInfo(f).Length)}"), .. PlanText.Lines([.. Lock.Models.Select(m => m.Manifest)])];
}

/// <summary>Makes the lock of what would be shipped: one lock, also where each scenario has a plan and a file of its own.</summary>
internal static class Locking
{
    /// <summary>Goes the whole path to verified models, and keeps the lock of them in their place.</summary>
    public static LockResult Make(Materials materials, StageRunner runner)
    {
        string path = LockFile.PathOf(Path.GetFullPath(materials.Policy.File)), binary = LockFile.BinaryOf(path);
        OutputGuard.Check([path, binary], materials.InputFiles.Where(f => f != path));
        using StagingFolder staging = StagingFolder.In(Path.GetDirectoryName(path)!);
        return Write(materials, [.. Delivery.Make(materials, runner, staging.Folder).Select(d => (d.Plan, d.Manifest))], staging, path);
    }

    /// <summary>Writes the lock of plans whose models were emitted and verified.</summary>
    internal static LockResult Write(Materials materials, IReadOnlyList<(IReadOnlyList<Configuration> Plan, Manifest Manifest)> made, StagingFolder staging, string path)
    {
        string binary = LockFile.BinaryOf(path);
        string temporary = Path.Combine(staging.Folder, Path.GetFileName(binary));
        List<LockedModel> models;
        using (FileStream constants = File.Create(temporary))
        {
            var written = new Dictionary<string, LockedPart>();
            models = [.. made.Select(m => new LockedModel([.. LayersOf(materials, m.Plan, constants, written)], m.Manifest))];
            constants.Flush(flushToDisk: true);
        }

        bool hasConstants = models.Any(m => m.Layers.Any(l => l.Stored is not null));
        Workspace workspace = materials.Workspace;
        var whole = new PrecisionLock(
            PrecisionLock.CurrentSchema,
            materials.Policy.Texts.OrderBy(t => t.Key, StringComparer.Ordinal).ToDictionary(),
            LockDrift.DataOf(materials.Policy),
            LockDrift.VersionsOf(workspace, [.. made.Select(m => m.Plan)]),
            workspace.IsRewritten,
            workspace.SeenTypes.OrderBy(t => t.Key, StringComparer.Ordinal).ToDictionary(t => t.Key, t => new LockedType(t.Value.ElementType, t.Value.Rank!.Value)),
            hasConstants ? new LockedBinary(new FileInfo(temporary).Length, ModelFiles.HashOf([temporary])) : null,
            models);
        return new LockResult(whole, LockFile.Write(staging, path, whole, hasConstants ? temporary : null));
    }

    /// <summary>The layers whose weights are written in another format, as they are emitted; what data decided on goes to a stream.</summary>
    /// <param name="written">What the stream holds, by its content.</param>
    private static IEnumerable<LockedLayer> LayersOf(Materials materials, IReadOnlyList<Configuration> plan, Stream constants, Dictionary<string, LockedPart> written)
    {
        Workspace workspace = materials.Workspace;
        IReadOnlyList<FoundStructure> structures = Emission.FoundOf(workspace, Emission.StructuresOf(workspace, plan));
        foreach ((LayerSite site, NumberFormat format) in Balancing.Resolve(
            Emission.PlanOf(workspace, Emission.LayersOf(workspace, plan)), site => structures.Any(s => s.Match.Fixed.ContainsKey(site.Layer.Name))))
        {
            if (format == NumberFormats.Baseline)
            {
                continue;
            }

            foreach (LayerSite own in site.ByWeight)
            {
                Tensor weight = workspace.Weight(own.Layer.Weight);
                IReadOnlyList<Tensor> prepared = materials.Preparations.Get(own, format, weight);
                yield return new LockedLayer(
                    own.Layer.Name,
                    own.Layer.Weight,
                    format.Name,
                    LockedConstants.HashOf(prepared),
                    format.ReadsRanges ? own.Ranges : null,
                    format.ReadsMoments && own.Moments is not null ? LockBinary.Append(constants, written, own.InputScales, format.Prepare(own with { Moments = null }, weight), prepared) : null);
            }
        }
    }
}
