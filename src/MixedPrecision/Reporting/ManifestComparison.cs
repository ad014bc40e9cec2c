using System.Text.Json.Nodes;
using MixedPrecision.Structures;

namespace MixedPrecision.Reporting;

/// <summary>Finds what differs between two manifests: by the texts that people are shown, and by name whatever these do not tell apart.</summary>
public static class ManifestComparison
{
    private const int ShownOfHash = 12;

    /// <summary>Properties of a manifest that hold the plan, layer by layer.</summary>
    private const string Plan = "subgraphs";

    /// <param name="beforeFile">The first file, as it is called.</param>
    /// <param name="afterFile">The second file, as it is called.</param>
    public static ManifestDiff Of(string beforeFile, Manifest before, string afterFile, Manifest after)
    {
        var properties = (Before: Properties(before), After: Properties(after));
        string[] different = [.. properties.Before.Keys.Union(properties.After.Keys).Where(p => properties.Before.GetValueOrDefault(p) != properties.After.GetValueOrDefault(p))];
        Fact[] first = [.. Facts(before)], second = [.. Facts(after)];
        (Fact? Before, Fact? After)[] facts =
        [
            .. first.Select(f => ((Fact?)f, (Fact?)second.FirstOrDefault(s => s.What == f.What))),
            .. second.Where(s => first.All(f => f.What != s.What)).Select(s => ((Fact?)null, (Fact?)s)),
        ];
        (Fact? Before, Fact? After)[] changed = [.. facts.Where(f => f.Before?.Text != f.After?.Text)];
        LayerDifference[] layers = [.. Layers(before, after)];
        HashSet<string> told = [.. changed.SelectMany(f => new[] { f.Before?.Property, f.After?.Property }).OfType<string>(), .. layers.Length > 0 ? [Plan] : Array.Empty<string>()];
        return new ManifestDiff(
            beforeFile, afterFile, different.Length == 0, [.. changed.Select(f => new ManifestDifference((f.Before ?? f.After)!.What, f.Before?.Text, f.After?.Text))], layers, [.. different.Where(p => !told.Contains(p))]);
    }

    private static Dictionary<string, string> Properties(Manifest manifest) =>
        JsonNode.Parse(manifest.ToJson())!.AsObject().ToDictionary(p => p.Key, p => p.Value!.ToJsonString());

    /// <summary>What people are shown of a manifest: each under a name that stands once; of lists the entry is the name.</summary>
    private static IEnumerable<Fact> Facts(Manifest m)
    {
        Fact[] all =
        [
            new("model", "model", m.Model.File),
            new("model", "model's SHA-256", Hash(m.Model.Sha256)),
            new("model", "model's nodes", $"{ReportText.Count(m.Model.Nodes)}, opset {m.Model.Opset}"),
            new("policy", "policy", m.Policy),
            new("budget", "budget", m.Budget.Text),
            new("loss", "loss", m.Loss ?? "none"),
            new("objective", "objective", m.Objective),
            new("samples", "samples", $"{ReportText.Count(m.Samples.Calibration)} to calibrate, {ReportText.Count(m.Samples.Evaluation)} to verify"),
            new("scenario", "scenario", m.Scenario ?? "all"),
            new("engine", "version", m.Engine),
            new("machine", "machine", ShownManifest.Text(m.Machine)),
            new("machine", "instruction sets", string.Join(", ", m.Machine.InstructionSets)),
            new("machine", "session options", string.Join(" ", (m.Machine.Options ?? []).Select(o => o.ToCode()))),
            new("profile", "profile", m.Profile is { } profile ? $"{profile.File} ({Hash(profile.Sha256)}) of {ShownManifest.Text(profile.Machine)}" : "none"),
            new("shipped", "shipped", $"{m.Shipped.What}: {m.Shipped.Why}"),
            new("subgraphs", "formats", PlanText.Formats(m.Subgraphs)),
            new("budget", "τ of the plan", ReportText.Percent(m.Budget.SolvedTau)),
            new("predicted", "predicted loss error", ReportText.Percent(m.Predicted.RelativeLossError)),
            new("predicted", "predicted gain", PlanText.Gain(m.Predicted.Gain.Value, m.Predicted.Gain.Unit)),
            new("measured", "measured loss error", ReportText.Percent(m.Measured.RelativeLossError)),
            new("measured", "mean loss change", ReportText.Number(m.Measured.MeanLossChange)),
            .. m.Measured.Accuracy is { } accuracy ? new[] { new Fact("measured", "accuracy", $"{ReportText.Percent(accuracy.Mixed)}, of the original {ReportText.Percent(accuracy.Original)}") } : [],
            .. m.Measured.Agreement is { } agreement ? new[] { new Fact("measured", "answers of the original", ReportText.Percent(agreement)) } : [],
            .. (m.Budget.Limits ?? []).Select(l => new Fact("budget", $"limit {l.Name}", $"{l.Text}, measured {l.Say(l.Measured)}")),
            .. m.Measured.Scenarios.SelectMany(s => new[]
            {
                new Fact("measured", $"time of the original, {s.Name}", ReportText.Milliseconds(s.OriginalMilliseconds)),
                new Fact("measured", $"time, {s.Name}", $"{ReportText.Milliseconds(s.MixedMilliseconds)}, {ReportText.Factor(s.Speedup)}"),
            }),
            new("bytes", "size of the original", ReportText.Bytes(m.Bytes.Original)),
            new("bytes", "size", ReportText.Bytes(m.Bytes.Mixed)),
            new("output", "emitted file", m.Output.File),
            new("output", "emitted file's SHA-256", Hash(m.Output.Sha256)),
            new("solver", "solver", m.Solver is { } solver ? $"{solver.Status}, objective {ReportText.Number(solver.Objective)}, bound {ReportText.Number(solver.Bound)}" : "no plan"),
            .. m.Compared.Select(c => new Fact("compared", $"compared, {c.Name}", string.Join(", ", PlanText.Row(c)[1..].Where(t => t.Length > 0)))),
            .. m.Advice.Select(a => new Fact("advice", $"advice on {a.Option}", $"{ReportText.Percent(a.Gain[1])} of the time saved")),
            .. m.Reasons.Select(r => new Fact("reasons", $"kept: {r}", "")),
            .. m.Warnings.Select(w => new Fact("warnings", $"warning: {w}", "")),
        ];
        return all.DistinctBy(f => f.What);
    }

    private static IEnumerable<LayerDifference> Layers(Manifest before, Manifest after)
    {
        Dictionary<string, (PlannedLayer Layer, string Text)> first = ByName(before), second = ByName(after);
        return first.Keys.Union(second.Keys)
            .Select(name => (Name: name, Before: first.GetValueOrDefault(name), After: second.GetValueOrDefault(name)))
            .Where(l => l.Before.Text != l.After.Text)
            .GroupBy(l => ((l.Before.Layer ?? l.After.Layer).Operator, Shape: ReportText.Shape((l.Before.Layer ?? l.After.Layer).WeightShape), Before: l.Before.Text, After: l.After.Text))
            .Select(g => new LayerDifference(g.Key.Operator, (g.First().Before.Layer ?? g.First().After.Layer).WeightShape, g.Key.Before, g.Key.After, [.. g.Select(l => l.Name)]));
    }

    private static Dictionary<string, (PlannedLayer Layer, string Text)> ByName(Manifest manifest) => manifest.Subgraphs
        .SelectMany(s => s.Layers.Select(l => (Layer: l, Text: l.Format + (s.Structure == Structure.Exported ? "" : $" in {s.Structure}"))))
        .DistinctBy(l => l.Layer.Name).ToDictionary(l => l.Layer.Name);

    private static string Hash(string hash) => hash.Length > ShownOfHash ? hash[..ShownOfHash] + "…" : hash;

    /// <param name="Property">The property of the manifest that it is taken from.</param>
    /// <param name="What">What it is about.</param>
    /// <param name="Text">As people are shown it.</param>
    private sealed record Fact(string Property, string What, string Text);
}
