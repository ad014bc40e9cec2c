using MixedPrecision.Formats;
using MixedPrecision.Partitioning;
using MixedPrecision.Policies;
using MixedPrecision.Structures;

namespace MixedPrecision.Benchmarking;

/// <summary>What a profile offers.</summary>
public sealed partial class SubgraphTimer
{
    /// <summary>
    /// The configurations of a sub-graph that are in the profile for every scenario, in formats that its layers may take. A format stands for those of the same kernel, which share its timings; of these the first that a layer may take is meant.
    /// </summary>
    /// <param name="subgraph">A sub-graph of the partition.</param>
    /// <param name="formats">The formats that a layer may take.</param>
    public IReadOnlyList<Configuration> Profiled(Subgraph subgraph, Func<Layer, IReadOnlyList<string>> formats)
    {
        Cut cut = CutOut(subgraph);
        IReadOnlyList<EnteringValues> scenarios = Entering ??= Describe();
        return cut.Unavailable is not null ? [] :
        [
            .. timings.Of(subgraph.Fingerprint).Where(of => !TimingSubject.Edges.Contains(of.Comparison) && of.Formats.Count == subgraph.Layers.Count)
                .Select(of => Meant(subgraph, of.Structure, cut.Keys.Own(of.Formats), formats)).OfType<Configuration>()
                .Distinct().Where(c => c.Changes(NumberFormats.Baseline.Name) && IsProfiled(c)),
        ];

        bool IsProfiled(Configuration configuration) => IsKnown([.. scenarios.Select(e => timings.Find(
            cut.Keys.Of(configuration, StructureOf(subgraph, configuration), cut.Extracted.Inputs.ToDictionary(i => i, i => e.Values[i]), settings)))]);
    }

    private Configuration? Meant(Subgraph subgraph, string structure, string[] own, Func<Layer, IReadOnlyList<string>> formats)
    {
        string?[] meant = [.. subgraph.Layers.Zip(own, (layer, format) => KernelOf(format) is string kernel ? formats(layer).FirstOrDefault(f => KernelOf(f) == kernel) : null)];
        IReadOnlyDictionary<string, string>? fixedFormats = structure == Structure.Exported ? new Dictionary<string, string>()
            : Structures(subgraph).FirstOrDefault(s => s.Structure.Name == structure)?.Match.Fixed;
        return fixedFormats is null || meant.Contains(null) || subgraph.Layers.Zip(meant).Any(l => fixedFormats.GetValueOrDefault(l.First.Name, l.Second!) != l.Second)
            ? null : new Configuration(structure, [.. meant.Select(f => f!)]);
    }

    private static string? KernelOf(string format) => FormatId.TryParse(format, out _) is null ? null : NumberFormats.Get(format).KernelIdentity;
}
