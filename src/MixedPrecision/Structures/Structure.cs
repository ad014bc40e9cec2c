using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Structures;

/// <summary>
/// A way to write a sub-graph in float other than as exported, with fused operators of the runtime: same results up to rounding, other time. All that belongs to one structure
/// stands in its own file: pattern, what has to be proven before it holds, and emission. <see cref="KnownStructures"/> lists them.
/// </summary>
/// <param name="Name">The name in policies, plans and manifests, e.g. "group-query-attention".</param>
/// <param name="Version">Raised when what the structure emits changes; part of the keys of timings and emitted files.</param>
/// <param name="Match">Finds the pattern in a sub-graph and proves that it may be replaced; null where one of both fails.</param>
public sealed record Structure(string Name, int Version, Func<StructureSite, StructureMatch?> Match)
{
    /// <summary>The structure of every sub-graph unless the plan says otherwise: as the model has it.</summary>
    public const string Exported = Policies.StructureNames.Exported;
}

/// <summary>Where a structure may stand.</summary>
/// <param name="Model">The original model.</param>
/// <param name="Partition">Its sub-graphs.</param>
/// <param name="Subgraph">The sub-graph in question.</param>
/// <param name="Types">Types of all values of the model.</param>
/// <param name="Sites">The layers by name.</param>
public sealed record StructureSite(
    OnnxModel Model, Partition Partition, Subgraph Subgraph, IReadOnlyDictionary<string, TensorType> Types, IReadOnlyDictionary<string, LayerSite> Sites);

/// <summary>A structure found in a sub-graph.</summary>
/// <param name="Fixed">
/// By layer, the format that it has to have: the baseline for layers that the structure absorbs and computes in float, a quantized format for layers that it computes in
/// that. Layers that are not named are free: their nodes stay, and are rewritten as in the exported form.
/// </param>
/// <param name="Outputs">Values that the structure computes in place of the nodes of the model that did; nodes that are not read any more are dropped.</param>
/// <param name="Kernels">What the runtime has to run, once it has optimized the graph: each as often as it stands here.</param>
/// <param name="Emit">Adds the nodes that compute <paramref name="Outputs"/>, under these names.</param>
public sealed record StructureMatch(IReadOnlyDictionary<string, string> Fixed, IReadOnlyList<string> Outputs, IReadOnlyList<Kernel> Kernels, Action<StructureEmission> Emit);

/// <summary>What a structure is written with.</summary>
/// <param name="Builder">Takes the nodes; they may stand in any order with those of the graph, which is sorted afterwards.</param>
/// <param name="Has">
/// Whether the graph at hand computes or is fed a value of the model: the whole model has all, a sub-graph that was cut out has what its timed nodes compute and read, and constants.
/// </param>
/// <param name="Constant">Adds a constant of the model, or one made from it, once for all that have its content; gives its name.</param>
/// <param name="Prepared">The constants that a layer's fixed format prepares from its weight, in that format's order.</param>
/// <param name="Shared">Values made once for a model, such as lengths and tables, by a key of the structure's own.</param>
public sealed record StructureEmission(
    GraphBuilder Builder,
    Func<string, bool> Has,
    Func<Tensor, string, string> Constant,
    Func<string, IReadOnlyList<Tensor>> Prepared,
    Dictionary<string, string[]> Shared);

/// <summary>A structure that a sub-graph may have.</summary>
public sealed record FoundStructure(Structure Structure, StructureMatch Match)
{
    /// <summary>The structure by itself: layers that it fixes have the format that it fixes, all others the baseline.</summary>
    public Configuration Bare(Subgraph subgraph, string baseline) => new(Structure.Name, [.. subgraph.Layers.Select(l => Match.Fixed.GetValueOrDefault(l.Name, baseline))]);
}
