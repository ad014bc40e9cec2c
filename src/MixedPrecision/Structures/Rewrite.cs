using MixedPrecision.Formats;

namespace MixedPrecision.Structures;

/// <summary>A few nodes of a sub-graph that other operators of the runtime compute in less time, with the same result up to rounding.</summary>
/// <param name="Output">The value that is computed in place of the nodes of the model that did.</param>
/// <param name="Kernel">The operator that has to run; null where the runtime may join what is written with its surroundings.</param>
/// <param name="Emit">Adds what computes <paramref name="Output"/>, under this name.</param>
internal sealed record Rewrite(string Output, Kernel? Kernel, Action<StructureEmission> Emit);
