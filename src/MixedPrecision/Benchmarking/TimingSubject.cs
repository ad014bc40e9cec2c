namespace MixedPrecision.Benchmarking;

/// <summary>
/// What a timing is of, in words that a person can read; its key, which is a hash, tells programs more. Timings are shared by sub-graphs of equal structure: the names are those of the one that was measured.
/// </summary>
/// <param name="Fingerprint">Hash of the sub-graph's structure.</param>
/// <param name="Operators">Operators of the sub-graph, with how many of each there are.</param>
/// <param name="Layers">Its layers, in the order that follows from the structure alone.</param>
/// <param name="Structure">How it is written.</param>
/// <param name="Formats">The format of each layer.</param>
/// <param name="Scenario">Name of the scenario.</param>
/// <param name="Entry">Values that enter, with type and shape; small integers with their bytes.</param>
/// <param name="Exit">Values that leave, with type and shape as far as it is known.</param>
/// <param name="Comparison">What was compared with the original: one of <see cref="Comparisons"/>.</param>
public sealed record TimingSubject(
    string Fingerprint,
    IReadOnlyDictionary<string, int> Operators,
    IReadOnlyList<TimedLayer> Layers,
    string Structure,
    IReadOnlyList<string> Formats,
    string Scenario,
    IReadOnlyList<string> Entry,
    IReadOnlyList<string> Exit,
    string Comparison)
{
    /// <summary>The configuration.</summary>
    public const string Configuration = "configuration";

    /// <summary>The configuration, once more and more exactly, with those that come near it.</summary>
    public const string NearTie = "near tie";

    /// <summary>What two neighbours gain together beyond what each gains by itself, by which of them changes: the sub-graph is both, joined.</summary>
    public static readonly IReadOnlyList<string> Edges = ["edge, both changed", "edge, first changed", "edge, second changed"];

    /// <summary>All that is compared.</summary>
    public static IReadOnlyList<string> Comparisons => [Configuration, NearTie, .. Edges];
}

/// <summary>A layer of a sub-graph that was timed.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Operator">Its operator.</param>
public sealed record TimedLayer(string Name, string Operator);

/// <summary>What is known of a configuration in a scenario: its timing, or why it cannot run.</summary>
/// <param name="Of">What it is of.</param>
/// <param name="Timing">What was measured; null when it cannot run.</param>
/// <param name="Unavailable">The reason; null when it can.</param>
public sealed record StoredTiming(TimingSubject Of, Timing? Timing, string? Unavailable);
