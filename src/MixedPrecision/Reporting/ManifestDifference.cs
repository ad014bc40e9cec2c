using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>A fact that two manifests state differently.</summary>
/// <param name="What">What it is about.</param>
/// <param name="Before">As the first states it; null: it does not.</param>
/// <param name="After">As the second states it; null: it does not.</param>
public sealed record ManifestDifference(string What, string? Before, string? After);

/// <summary>Layers that two plans treat differently, in the same way.</summary>
/// <param name="Operator">Their operator.</param>
/// <param name="WeightShape">Shape of their weights.</param>
/// <param name="Before">Format, and structure where it is not the exported one, in the first; null: it has no such layer.</param>
/// <param name="After">The same in the second.</param>
/// <param name="Names">Their names, in the order of the model.</param>
public sealed record LayerDifference(string Operator, IReadOnlyList<long> WeightShape, string? Before, string? After, IReadOnlyList<string> Names);

/// <summary>What differs between two manifests.</summary>
/// <param name="Before">The first file.</param>
/// <param name="After">The second file.</param>
/// <param name="IsSame">Whether nothing differs.</param>
/// <param name="Differences">What differs in the digits that are shown.</param>
/// <param name="Layers">Layers whose format or structure differs, those together that differ alike.</param>
/// <param name="Others">Further properties of the manifest that differ, by name: in detail, or in digits that are not shown.</param>
public sealed record ManifestDiff(
    string Before, string After, bool IsSame, IReadOnlyList<ManifestDifference> Differences, IReadOnlyList<LayerDifference> Layers, IReadOnlyList<string> Others)
{
    public string ToJson() => ReportJson.Write(this);

    /// <summary>For people; the manifests may be a stranger's, hence nothing in them reaches the terminal as a control character.</summary>
    public IEnumerable<string> ToLines() => Lines().Select(Wording.EscapeWhole);

    private IEnumerable<string> Lines() => IsSame ? [$"{Before} and {After}: the same"] :
    [
        $"{Before} → {After}",
        .. Differences.Where(d => d is { Before: not null, After: not null }).Select(d => $"{d.What}: {Shown(d.Before!)} → {Shown(d.After!)}"),
        .. Differences.Where(d => d.After is null).Select(d => $"only in the first: {d.What}{Text(d.Before!)}"),
        .. Differences.Where(d => d.Before is null).Select(d => $"only in the second: {d.What}{Text(d.After!)}"),
        .. Layers.Select(LineOf),
        .. Others.Count == 0 ? [] : new[] { $"also different, in detail or in digits that are not shown: {string.Join(", ", Others)}" },
    ];

    private static string Shown(string text) => text.Length == 0 ? "–" : text;

    private static string Text(string text) => text.Length == 0 ? "" : $": {text}";

    private static string LineOf(LayerDifference layers) =>
        $"{ReportText.Count(layers.Names.Count, "layer")}: {layers.Operator} {ReportText.Shape(layers.WeightShape)}, {layers.Before ?? "absent"} → {layers.After ?? "absent"}: "
        + NamePatterns.Quoted(layers.Names);
}
