using MixedPrecision.Benchmarking;

namespace MixedPrecision.Reporting;

/// <summary>
/// Timings of one machine, to be used where a plan is made on another. It holds no path and no clock time; build/profile.schema.json describes it.
/// </summary>
/// <param name="Schema">Version of the profile's schema: <see cref="CurrentSchema"/>.</param>
/// <param name="Engine">Version of the engine that wrote it.</param>
/// <param name="Model">The model that was timed.</param>
/// <param name="Machine">What it was timed on.</param>
/// <param name="Scenarios">What it was timed in.</param>
/// <param name="Subgraphs">What was timed, those of one structure once; pairs of neighbours behind the others.</param>
/// <param name="Whole">What formats gained in the whole model, in its order of formats; empty where that was not measured.</param>
public sealed record Profile(
    int Schema,
    string Engine,
    ModelSummary Model,
    Machine Machine,
    IReadOnlyList<ProfiledScenario> Scenarios,
    IReadOnlyList<ProfiledSubgraph> Subgraphs,
    IReadOnlyList<ProfiledWhole> Whole)
{
    /// <summary>Raised when the file's form changes, or what a key is made of.</summary>
    public const int CurrentSchema = 2;

    /// <summary>How many timings it holds, those included that say why something cannot run.</summary>
    internal int Count => Subgraphs.Sum(s => s.Timings.Count) + Whole.Count;

    public string ToJson() => ReportJson.Write(this);

    /// <summary>Timings by key, in an order that depends on the model alone.</summary>
    /// <param name="layers">Names of the model's layers in its order.</param>
    internal static Profile Of(
        ModelSummary model, Machine machine, IReadOnlyList<Scenario> scenarios, IReadOnlyList<string> layers, IReadOnlyDictionary<string, StoredTiming> timings, IReadOnlyList<ProfiledWhole> whole)
    {
        Dictionary<string, int> places = layers.Index().ToDictionary(l => l.Item, l => l.Index);
        Dictionary<string, int> order = scenarios.Index().DistinctBy(s => s.Item.Name).ToDictionary(s => s.Item.Name, s => s.Index);
        return new Profile(
            CurrentSchema,
            typeof(Profile).Assembly.GetName().Version!.ToString(3),
            model,
            machine,
            [.. scenarios.Select(s => new ProfiledScenario(s.Name, s.Sizes, s.Weight))],
            [
                .. timings.GroupBy(t => t.Value.Of.Fingerprint, StringComparer.Ordinal).Select(own => (Own: own.ToArray(), First: own.MinBy(t => t.Key).Value.Of))
                    .OrderBy(s => TimingSubject.Edges.Contains(s.First.Comparison)).ThenBy(s => s.First.Layers.Min(l => places.GetValueOrDefault(l.Name, int.MaxValue))).ThenBy(s => s.First.Fingerprint, StringComparer.Ordinal)
                    .Select(s => new ProfiledSubgraph(
                        s.First.Fingerprint,
                        s.First.Operators,
                        s.First.Layers,
                        [
                            .. s.Own.OrderBy(t => order.GetValueOrDefault(t.Value.Of.Scenario, int.MaxValue)).ThenBy(t => t.Value.Of.Structure, StringComparer.Ordinal)
                                .ThenBy(t => string.Join(' ', t.Value.Of.Formats), StringComparer.Ordinal).ThenBy(t => t.Value.Of.Comparison, StringComparer.Ordinal).ThenBy(t => t.Key, StringComparer.Ordinal)
                                .Select(t => ProfiledTiming.Of(t.Key, t.Value)),
                        ])),
            ],
            whole);
    }

    /// <summary>What the format of a key gained in the whole model; null where that is not known.</summary>
    internal WholeTiming? FindWhole(string key) => Whole.FirstOrDefault(w => w.Key == key)?.Timing;

    /// <summary>The timings by key.</summary>
    internal IReadOnlyDictionary<string, StoredTiming> Timings() => Subgraphs.SelectMany(s => s.Timings.Select(t => (t.Key, Value: t.ToStored(s)))).ToDictionary(t => t.Key, t => t.Value, StringComparer.Ordinal);
}

/// <summary>A scenario of a profile.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Inputs">Size of each symbolic dimension.</param>
/// <param name="Weight">Its share; all shares sum to 1.</param>
public sealed record ProfiledScenario(string Name, IReadOnlyDictionary<string, long> Inputs, double Weight);

/// <summary>A sub-graph of a profile, or two neighbours as one.</summary>
/// <param name="Fingerprint">Hash of its structure.</param>
/// <param name="Operators">Its operators, with how many of each there are.</param>
/// <param name="Layers">Its layers, in the order that follows from the structure alone, by the names that they had in the model that was timed.</param>
/// <param name="Timings">What was timed of it.</param>
public sealed record ProfiledSubgraph(string Fingerprint, IReadOnlyDictionary<string, int> Operators, IReadOnlyList<TimedLayer> Layers, IReadOnlyList<ProfiledTiming> Timings);

/// <summary>A format in all layers that may take it, end to end.</summary>
/// <param name="Format">The format; those of one kernel share a timing.</param>
/// <param name="Layers">The layers, in the model's order.</param>
/// <param name="Timing">What was measured.</param>
/// <param name="Key">SHA-256, in lower-case hexadecimal, of all that the timing depends on but for the machine: by it the timing is found.</param>
public sealed record ProfiledWhole(string Format, IReadOnlyList<string> Layers, WholeTiming Timing, string Key);

/// <summary>What a whole model gained, end to end.</summary>
/// <param name="Share">As a share of the original's time.</param>
/// <param name="OriginalMilliseconds">What the original took in the same run, the mean over the scenarios by their weights.</param>
public sealed record WholeTiming(double Share, double OriginalMilliseconds);

/// <summary>A timing of a profile.</summary>
/// <param name="Structure">How the sub-graph is written.</param>
/// <param name="Formats">The format of each layer, in their order. Formats of one kernel share a timing: it is that of the first.</param>
/// <param name="Scenario">Name of the scenario.</param>
/// <param name="Comparison">What was compared with the original: "configuration"; "near tie", once more and more exactly; or "edge" and which of two neighbours changed, by themselves beyond what each gains.</param>
/// <param name="Entry">Values that enter, with type and shape.</param>
/// <param name="Exit">Values that leave, with type and shape as far as it is known.</param>
/// <param name="Timing">What was measured; null where it cannot run.</param>
/// <param name="Unavailable">Why it cannot run; null where it can.</param>
/// <param name="Key">SHA-256, in lower-case hexadecimal, of all that the timing depends on but for the machine: by it the timing is found.</param>
public sealed record ProfiledTiming(
    string Structure,
    IReadOnlyList<string> Formats,
    string Scenario,
    string Comparison,
    IReadOnlyList<string> Entry,
    IReadOnlyList<string> Exit,
    BenchmarkedTiming? Timing,
    string? Unavailable,
    string Key)
{
    internal static ProfiledTiming Of(string key, StoredTiming stored) => new(
        stored.Of.Structure, stored.Of.Formats, stored.Of.Scenario, stored.Of.Comparison, stored.Of.Entry, stored.Of.Exit, stored.Timing is { } timing ? BenchmarkedTiming.Of(timing) : null, stored.Unavailable, key);

    internal StoredTiming ToStored(ProfiledSubgraph subgraph) => new(
        new TimingSubject(subgraph.Fingerprint, subgraph.Operators, subgraph.Layers, Structure, Formats, Scenario, Entry, Exit, Comparison), Timing?.ToTiming(), Unavailable);
}
