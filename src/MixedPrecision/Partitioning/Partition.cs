using MixedPrecision.Onnx;

namespace MixedPrecision.Partitioning;

/// <summary>A sequential region of the model between two cuts.</summary>
/// <param name="Index">Position in the partition, from 0.</param>
/// <param name="Entry">The cut before it; null for the first if no cut precedes all layers.</param>
/// <param name="Exit">The cut at its end; null for the last.</param>
/// <param name="Nodes">The nodes it owns, in topological order. Every node of the model is owned by exactly one sub-graph.</param>
/// <param name="Timed">
/// Those of its nodes that depend on <paramref name="Entry"/> (all when there is no entry): what is cut out and timed. The others, such as
/// masks, positions and sizes computed from the model's inputs, are fed to it.
/// </param>
/// <param name="Layers">The layers it owns, in topological order.</param>
/// <param name="Fingerprint">
/// Structure of the timed nodes, 32 hexadecimal digits: see <see cref="CanonicalForm"/>. Sub-graphs of equal fingerprint share timings when the
/// sizes of what is fed are equal too.
/// </param>
public sealed record Subgraph(
    int Index,
    string? Entry,
    string? Exit,
    IReadOnlyList<int> Nodes,
    IReadOnlyList<int> Timed,
    IReadOnlyList<Layer> Layers,
    string Fingerprint);

/// <summary>A model as a sequence of sub-graphs. What a sub-graph reads is computed by itself or by one before it.</summary>
/// <param name="View">The graph that node indices refer to.</param>
/// <param name="Subgraphs">At least one, in order.</param>
/// <param name="Excluded">Linear operations that are no layers, with the reason.</param>
public sealed record Partition(GraphView View, IReadOnlyList<Subgraph> Subgraphs, IReadOnlyList<Excluded> Excluded)
{
    /// <summary>All layers, in order of their sub-graphs.</summary>
    public IEnumerable<Layer> Layers => Subgraphs.SelectMany(s => s.Layers);
}
