using System.Globalization;
using MixedPrecision.Caching;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures;

namespace MixedPrecision.Benchmarking;

/// <summary>
/// Keys of timings: the structure of the sub-graph, the kernel of each layer's format by its place in that structure, what enters and
/// settings; the machine comes on top (<see cref="TimingStore"/>). Neither names nor values of weights nor the order of the file enter, so that equal blocks, re-trained models and re-exports share what was measured.
/// </summary>
internal sealed class TimingKeys
{
    /// <summary>Short integer vectors that enter are sizes, positions, axes: what is computed depends on their values.</summary>
    private const int SmallCount = 16;

    /// <summary>Raised when what is stored of a timing changes.</summary>
    private const int Version = 5;

    private readonly Subgraph subgraph;
    private readonly Dictionary<string, string> names;
    private readonly int[] order;

    /// <param name="subgraph">The sub-graph.</param>
    /// <param name="canonical">Its timed nodes under canonical names: layers in equal sub-graphs may stand in another order.</param>
    public TimingKeys(Subgraph subgraph, CanonicalSubgraph canonical)
    {
        this.subgraph = subgraph;
        names = canonical.Originals.GroupBy(o => o.Value).ToDictionary(g => g.Key, g => g.Select(o => o.Key).Order(StringComparer.Ordinal).First());

        // Canonical names are numbered in canonical order.
        order = [.. Enumerable.Range(0, subgraph.Layers.Count).OrderBy(l => names[subgraph.Layers[l].Output].Length).ThenBy(l => names[subgraph.Layers[l].Output], StringComparer.Ordinal)];
    }

    /// <summary>Puts formats of the layers, given in the order of <see cref="Subgraph.Layers"/>, into the order that depends on the structure alone.</summary>
    public IReadOnlyList<string> Canonical(IReadOnlyList<string> formats) => [.. order.Select(layer => formats[layer])];

    /// <summary>The reverse of <see cref="Canonical"/>.</summary>
    public string[] Own(IReadOnlyList<string> canonical)
    {
        string[] own = new string[order.Length];
        for (int i = 0; i < order.Length; i++)
        {
            own[order[i]] = canonical[i];
        }

        return own;
    }

    /// <summary>What a timing is of.</summary>
    /// <param name="configuration">Formats in the order of <see cref="Subgraph.Layers"/>.</param>
    /// <param name="scenario">Name of the scenario.</param>
    /// <param name="extracted">The sub-graph as a model of its own.</param>
    /// <param name="entering">By name, what enters as <see cref="Describe"/> says it.</param>
    /// <param name="types">Types of the values.</param>
    /// <param name="comparison">What is compared: one of <see cref="TimingSubject.Comparisons"/>.</param>
    public TimingSubject Subject(
        Configuration configuration,
        string scenario,
        ExtractedSubgraph extracted,
        IReadOnlyDictionary<string, string> entering,
        IReadOnlyDictionary<string, TensorType> types,
        string comparison) => new(
            subgraph.Fingerprint,
            extracted.Model.Graph.Node.CountBy(n => n.Operator()).OrderBy(o => o.Key, StringComparer.Ordinal).ToDictionary(),
            [.. order.Select(l => new TimedLayer(subgraph.Layers[l].Name, subgraph.Layers[l].Operator))],
            configuration.Structure,
            Canonical(configuration.Formats),
            scenario,
            [.. extracted.Inputs.Select(i => $"{i}: {entering[i]}")],
            [.. extracted.Outputs.Select(o => types.TryGetValue(o, out TensorType? type) && type.ElementType != 0 ? $"{o}: {type}" : o)],
            comparison);

    /// <param name="configuration">Formats in the order of <see cref="Subgraph.Layers"/>.</param>
    /// <param name="structure">Its structure; null for the exported one.</param>
    /// <param name="inputs">What enters, by the model's own names, as <see cref="Describe"/> says it.</param>
    /// <param name="settings">How it is measured.</param>
    public CacheKey Of(Configuration configuration, FoundStructure? structure, IReadOnlyDictionary<string, string> inputs, TimingSettings settings)
    {
        IReadOnlyList<string> formats = Canonical([.. configuration.Formats.Select(f => NumberFormats.Get(f).KernelIdentity)]);
        IEnumerable<string> entering = inputs.Select(i => $"{names[i.Key]}={i.Value}");
        return CacheKey.Of(
            ("fingerprint", subgraph.Fingerprint),
            ("configuration", string.Join(' ', formats)),
            ("inputs", string.Join("; ", entering.Order(StringComparer.Ordinal))))
            .With("structure", structure is null ? configuration.Structure : string.Create(CultureInfo.InvariantCulture, $"{structure.Structure.Name}/{structure.Structure.Version}"))
            .With("version", Version)
            .With("settings", settings.Key());
    }

    /// <summary>Type and shape of what enters, and its values where they say what is computed.</summary>
    public static string Describe(Tensor tensor) =>
        tensor.ElementType is ElementType.Int64 or ElementType.Int32 or ElementType.Bool && tensor.Rank <= 1 && tensor.Count <= SmallCount
            ? $"{tensor} of {Convert.ToHexStringLower(tensor.Bytes.Span)}"
            : $"{tensor}";
}
