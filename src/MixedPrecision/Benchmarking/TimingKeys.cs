using System.Globalization;
using MixedPrecision.Caching;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Benchmarking;

/// <summary>
/// Keys of timings: the structure of the sub-graph and the format of each layer by its place in that structure, the shapes that enter it, machine and
/// settings. Neither names nor values of weights enter, so that equal blocks, and re-trained models, share what was measured.
/// </summary>
/// <param name="subgraph">The sub-graph.</param>
/// <param name="canonical">Its timed nodes under canonical names: layers in equal sub-graphs may stand in another order.</param>
internal sealed class TimingKeys(Subgraph subgraph, CanonicalSubgraph canonical)
{
    /// <summary>Short integer vectors that enter are sizes, positions, axes: what is computed depends on their values.</summary>
    private const int SmallCount = 16;

    private readonly Dictionary<string, string> names = canonical.Originals.GroupBy(o => o.Value).ToDictionary(g => g.Key, g => g.Select(o => o.Key).Order(StringComparer.Ordinal).First());

    /// <param name="formats">One per layer of the sub-graph, in order.</param>
    /// <param name="inputs">What enters, by the model's own names.</param>
    /// <param name="modelInputs">Names of the inputs of the model, whose values are data.</param>
    public CacheKey Of(
        IReadOnlyList<NumberFormat> formats,
        IReadOnlyDictionary<string, Tensor> inputs,
        IReadOnlySet<string> modelInputs,
        Machine machine,
        TimingSettings settings)
    {
        IEnumerable<string> configuration = subgraph.Layers.Zip(formats)
            .Where(a => a.Second != NumberFormats.Baseline)
            .Select(a => string.Create(CultureInfo.InvariantCulture, $"{names[a.First.Output]}={a.Second.Name}/{a.Second.Version}"));
        IEnumerable<string> shapes = inputs.Select(i => $"{names[i.Key]}={i.Value}{(modelInputs.Contains(i.Key) ? "" : SettingOf(i.Value))}");
        return CacheKey.Of(
            ("fingerprint", subgraph.Fingerprint),
            ("configuration", string.Join(' ', configuration.Order(StringComparer.Ordinal))),
            ("inputs", string.Join("; ", shapes.Order(StringComparer.Ordinal))))
            .With("machine", machine.Key())
            .With("settings", settings.Key());
    }

    private static string SettingOf(Tensor tensor) =>
        tensor.ElementType is ElementType.Int64 or ElementType.Int32 or ElementType.Bool && tensor.Rank <= 1 && tensor.Count <= SmallCount
            ? " of " + Convert.ToHexStringLower(tensor.Bytes.Span)
            : "";
}
