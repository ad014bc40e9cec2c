using System.Globalization;
using MixedPrecision.Caching;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Structures;

namespace MixedPrecision.Benchmarking;

/// <summary>
/// Keys of timings: the structure of the sub-graph, the kernel of each layer's format by its place in that structure, what enters, machine and
/// settings. Neither names nor values of weights nor the order of the file enter, so that equal blocks, re-trained models and re-exports share what was measured.
/// </summary>
internal sealed class TimingKeys
{
    /// <summary>Short integer vectors that enter are sizes, positions, axes: what is computed depends on their values.</summary>
    private const int SmallCount = 16;

    /// <summary>Raised when what is stored of a timing changes.</summary>
    private const int Version = 3;

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

    /// <param name="configuration">Formats in the order of <see cref="Subgraph.Layers"/>.</param>
    /// <param name="structure">Its structure; null for the exported one.</param>
    /// <param name="inputs">What enters, by the model's own names, as <see cref="Describe"/> says it.</param>
    /// <param name="machine">What it is measured on.</param>
    /// <param name="settings">How it is measured.</param>
    public CacheKey Of(Configuration configuration, FoundStructure? structure, IReadOnlyDictionary<string, string> inputs, Machine machine, TimingSettings settings)
    {
        IReadOnlyList<string> formats = Canonical([.. configuration.Formats.Select(f => NumberFormats.Get(f).KernelIdentity)]);
        IEnumerable<string> entering = inputs.Select(i => $"{names[i.Key]}={i.Value}");
        return CacheKey.Of(
            ("fingerprint", subgraph.Fingerprint),
            ("configuration", string.Join(' ', formats)),
            ("inputs", string.Join("; ", entering.Order(StringComparer.Ordinal))))
            .With("structure", structure is null ? configuration.Structure : string.Create(CultureInfo.InvariantCulture, $"{structure.Structure.Name}/{structure.Structure.Version}"))
            .With("version", Version)
            .With("machine", machine.Key())
            .With("settings", settings.Key());
    }

    /// <summary>Type and shape of what enters, and its values where they say what is computed.</summary>
    public static string Describe(Tensor tensor) =>
        tensor.ElementType is ElementType.Int64 or ElementType.Int32 or ElementType.Bool && tensor.Rank <= 1 && tensor.Count <= SmallCount
            ? $"{tensor} of {Convert.ToHexStringLower(tensor.Bytes.Span)}"
            : $"{tensor}";
}
