using MixedPrecision.Formats;

namespace MixedPrecision.Structures;

/// <summary>A few nodes of a sub-graph that one operator of the runtime computes, with the same result up to rounding.</summary>
/// <param name="Output">The value that the operator computes in place of the nodes of the model that did.</param>
/// <param name="Kernel">The operator.</param>
/// <param name="Emit">Adds what computes <paramref name="Output"/>, under this name.</param>
internal sealed record Rewrite(string Output, Kernel Kernel, Action<StructureEmission> Emit);
