using MixedPrecision.Benchmarking;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>What <c>benchmark</c> measured: every structure of sub-graph in the configurations asked for.</summary>
/// <param name="Model">The file.</param>
/// <param name="Machine">Where it was measured.</param>
/// <param name="Measured">Timings taken now.</param>
/// <param name="Reused">Timings found in the cache, or shared by sub-graphs of equal structure.</param>
/// <param name="Scenarios">The timings, per scenario.</param>
/// <param name="Warnings">What the reader should know.</param>
/// <param name="Exported">The profile that was written; null where none was asked for.</param>
/// <param name="Emitted">The times of an emitted model; null where none was asked for.</param>
public sealed record BenchmarkReport(
    ModelSummary Model,
    Machine Machine,
    int Measured,
    int Reused,
    IReadOnlyList<BenchmarkedScenario> Scenarios,
    IReadOnlyList<string> Warnings,
    ExportedProfile? Exported = null,
    EmittedTimes? Emitted = null)
{
    public string ToJson() => ReportJson.Write(this);

    /// <summary>A summary for people.</summary>
    public IEnumerable<string> ToLines()
    {
        if (Emitted is not null)
        {
            yield return $"{Wording.Escape(Emitted.File)} against {Model.File} on {Machine.Processor}, end to end:";
            foreach (string line in Emitted.Scenarios.Select(s => s.ToLine()).Concat(ReportText.Warnings(Warnings)))
            {
                yield return line;
            }

            yield break;
        }

        yield return $"{Model.File} on {Machine.Processor}: {ReportText.Count(Measured, "timing")} taken, {Reused} reused";
        IReadOnlyDictionary<string, string> names = FormatNames.Short(Scenarios.SelectMany(s => s.Subgraphs).SelectMany(s => s.Configurations).SelectMany(c => c.Formats));
        foreach (string line in Scenarios.SelectMany(s => Lines(s, names)))
        {
            yield return line;
        }

        if (Exported is not null)
        {
            yield return $"exported: {Exported.File}, {ReportText.Count(Exported.Timings, "timing")}, SHA-256 {Exported.Sha256}";
        }

        foreach (string line in ReportText.Warnings(Warnings))
        {
            yield return line;
        }
    }

    /// <summary>Of each kind of sub-graph what gains most; all of it where that reads in a screen.</summary>
    /// <param name="names">Short names of the formats.</param>
    private static IEnumerable<string> Lines(BenchmarkedScenario scenario, IReadOnlyDictionary<string, string> names)
    {
        BenchmarkedConfiguration[] all = [.. scenario.Subgraphs.SelectMany(s => s.Configurations)];
        int most = all.Length <= Grouped.MostRows ? all.Length : Math.Max(1, Grouped.MostRows / scenario.Subgraphs.Count(s => s.Configurations.Count > 0));
        var rows = new List<string[]>();
        foreach (BenchmarkedSubgraph subgraph in scenario.Subgraphs)
        {
            IEnumerable<BenchmarkedConfiguration> shown = subgraph.Configurations.Count <= most ? subgraph.Configurations
                : subgraph.Configurations.Where(c => c.Timing is not null).OrderByDescending(c => c.Timing!.GainInterval[0]).Take(most);
            rows.AddRange(shown.Select((configuration, i) => Row(subgraph, configuration, names, i == 0)));
        }

        return
        [
            $"scenario {Wording.Escape(scenario.Name)}, weight {ReportText.Number(scenario.Weight)}{(rows.Count < all.Length ? $": {ReportText.Count(rows.Count)} of {ReportText.Count(all.Length)} configurations, of each kind of sub-graph what gains most; --json has all" : "")}:",
            .. ReportText.Table(rows),
            .. all.Length == rows.Count ? [] : all.Where(c => c.Timing is null).GroupBy(c => c.Unavailable ?? "")
                .Select(g => $"not available: {ReportText.Count(g.Count(), "configuration")}{(g.Key.Length > 0 ? $": {Wording.Escape(g.Key)}" : "")}"),
        ];
    }

    private static string[] Row(BenchmarkedSubgraph subgraph, BenchmarkedConfiguration configuration, IReadOnlyDictionary<string, string> names, bool isFirst) =>
    [
        isFirst ? NamePatterns.Numbers([.. subgraph.Indices]) : "",
        isFirst ? subgraph.Fingerprint[..Math.Min(8, subgraph.Fingerprint.Length)] : "",
        configuration.Timing is { } timing
            ? $"{ReportText.Milliseconds(timing.OriginalMilliseconds)} → {ReportText.Milliseconds(timing.Milliseconds)}"
            : "not available",
        configuration.Timing is not { } t ? Wording.Escape(configuration.Unavailable ?? "")
            : t.GainInterval[0] > 0 || t.GainInterval[1] < 0 ? $"gain {ReportText.Number(t.Gain)} ms [{ReportText.Number(t.GainInterval[0])}, {ReportText.Number(t.GainInterval[1])}]"
            : "no significant difference",
        $"{(configuration.Structure == Policies.StructureNames.Exported ? "" : $"{configuration.Structure}: ")}{Formats(configuration.Formats, names)}",
    ];

    /// <summary>Formats in the order of the layers; of many those that follow each other together.</summary>
    private static string Formats(IReadOnlyList<string> formats, IReadOnlyDictionary<string, string> names)
    {
        var runs = new List<(string Format, int Count)>();
        foreach (string format in formats)
        {
            if (runs.Count > 0 && runs[^1].Format == format)
            {
                runs[^1] = (format, runs[^1].Count + 1);
            }
            else
            {
                runs.Add((format, 1));
            }
        }

        return string.Join(' ', runs.Select(r => r.Count == 1 ? names[r.Format] : $"{ReportText.Count(r.Count)}×{names[r.Format]}"));
    }
}

/// <summary>End-to-end times of an emitted model.</summary>
/// <param name="File">File name.</param>
/// <param name="Sha256">SHA-256 of it, in lower-case hexadecimal; with external data over the hashes of all its files.</param>
/// <param name="Scenarios">Its time against the original's, per scenario.</param>
public sealed record EmittedTimes(string File, string Sha256, IReadOnlyList<MeasuredScenario> Scenarios);

/// <summary>A profile that was written.</summary>
/// <param name="File">File name.</param>
/// <param name="Sha256">SHA-256 of the file, in lower-case hexadecimal.</param>
/// <param name="Timings">How many timings it holds.</param>
public sealed record ExportedProfile(string File, string Sha256, int Timings);

/// <summary>The timings of one scenario.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Inputs">Size of each symbolic dimension.</param>
/// <param name="Weight">Its share; all shares sum to 1.</param>
/// <param name="Subgraphs">One entry per structure.</param>
public sealed record BenchmarkedScenario(
    string Name,
    IReadOnlyDictionary<string, long> Inputs,
    double Weight,
    IReadOnlyList<BenchmarkedSubgraph> Subgraphs);

/// <summary>The timings of one structure.</summary>
/// <param name="Fingerprint">Hash of the structure.</param>
/// <param name="Indices">The sub-graphs that have it.</param>
/// <param name="Layers">Names of the layers of the first of them, in order.</param>
/// <param name="Configurations">What was measured.</param>
public sealed record BenchmarkedSubgraph(
    string Fingerprint,
    IReadOnlyList<int> Indices,
    IReadOnlyList<string> Layers,
    IReadOnlyList<BenchmarkedConfiguration> Configurations);

/// <summary>One configuration.</summary>
/// <param name="Structure">How the sub-graph is written.</param>
/// <param name="Formats">The format of each layer, in order.</param>
/// <param name="Timing">The timing, or null when the configuration cannot run.</param>
/// <param name="Unavailable">Why it cannot run.</param>
/// <param name="Reused">Whether the timing was found in the cache.</param>
public sealed record BenchmarkedConfiguration(string Structure, IReadOnlyList<string> Formats, BenchmarkedTiming? Timing, string? Unavailable, bool Reused);

/// <summary>A timing in milliseconds a run.</summary>
/// <param name="OriginalMilliseconds">Undisturbed time of the original: the median over all its sessions of the lower quartile of a session's runs.</param>
/// <param name="Milliseconds">The same in this configuration.</param>
/// <param name="Gain">What a run saves.</param>
/// <param name="GainInterval">Lower and upper end of the gain's confidence interval.</param>
/// <param name="Confidence">Confidence of the interval, from 0 to 1.</param>
/// <param name="Pairs">Pairs of sessions, of the original and of this configuration, that were opened anew and compared.</param>
/// <param name="Warnings">Why the result is weaker than asked for.</param>
public sealed record BenchmarkedTiming(
    double OriginalMilliseconds,
    double Milliseconds,
    double Gain,
    IReadOnlyList<double> GainInterval,
    double Confidence,
    int Pairs,
    IReadOnlyList<string> Warnings)
{
    public static BenchmarkedTiming Of(Timing timing) => new(
        timing.OriginalMilliseconds, timing.CandidateMilliseconds, timing.Gain, [timing.Low, timing.High], timing.Confidence, timing.Pairs, timing.Warnings);

    /// <summary>The reverse of <see cref="Of"/>.</summary>
    internal Timing ToTiming() => new(OriginalMilliseconds, Milliseconds, Gain, GainInterval[0], GainInterval[1], Confidence, Pairs, Warnings);
}
