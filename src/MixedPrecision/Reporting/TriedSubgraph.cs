namespace MixedPrecision.Reporting;

/// <summary>What was tried of the sub-graphs with one structure.</summary>
/// <param name="Fingerprint">Hash of what was exported, as in the plan's sub-graphs.</param>
/// <param name="Configurations">The configurations whose gain was measured, or that turned out not to run.</param>
public sealed record TriedSubgraph(string Fingerprint, IReadOnlyList<TriedConfiguration> Configurations);

/// <summary>A configuration that was tried.</summary>
/// <param name="Structure">How the sub-graph is written.</param>
/// <param name="Formats">The format of each layer, in the order of the first sub-graph with the fingerprint.</param>
/// <param name="Gain">What it gains; null where it cannot run.</param>
/// <param name="Unavailable">Why it cannot run, or null.</param>
public sealed record TriedConfiguration(string Structure, IReadOnlyList<string> Formats, ReportedGain? Gain, string? Unavailable = null);
