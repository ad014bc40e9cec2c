using MixedPrecision.Diagnostics;
using MixedPrecision.Reporting;

namespace MixedPrecision.Benchmarks;

/// <summary>Rows of the table that <c>show</c> prints: what came of a policy, in words that fit into a cell.</summary>
internal static class ShownRow
{
    public const string Head = "| model | layers | what shipped | loss error | speed-up | reasons |\n|---|---|---|---|---|---|";

    private const int MostCharacters = 240;

    private const string None = "–";

    /// <summary>A model that shipped.</summary>
    /// <param name="name">What the row is called.</param>
    /// <param name="manifest">Its manifest.</param>
    /// <param name="warnings">What the run warned of.</param>
    public static string Of(string name, Manifest manifest, IEnumerable<Diagnostic> warnings)
    {
        PlannedLayer[] layers = [.. manifest.Subgraphs.SelectMany(s => s.Layers)];
        var formats = layers.CountBy(l => l.Format).OrderByDescending(c => c.Value).ThenBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Value} {c.Key}");
        string bytes = manifest.Bytes.Original == manifest.Bytes.Mixed
            ? ReportText.Bytes(manifest.Bytes.Original)
            : $"{ReportText.Bytes(manifest.Bytes.Original)} → {ReportText.Bytes(manifest.Bytes.Mixed)}";
        Diagnostic[] told = [.. warnings];
        string kept = told.Any(w => w.Code == Codes.NothingGained) ? $" ({Codes.NothingGained.Id})" : "";
        return Line(
            name,
            ReportText.Count(layers.Length),
            $"{manifest.Shipped.What}{kept}: {string.Join(", ", formats.Append(bytes))}",
            manifest.Samples.Evaluation == 0 ? None : ReportText.Percent(manifest.Measured.RelativeLossError),
            manifest.Measured.Scenarios.Count == 0 ? None : string.Join("; ", manifest.Measured.Scenarios.Select(SpeedUp)),
            [manifest.Shipped.Why, .. manifest.Reasons.Select(WithoutNames), .. told.Where(w => w.Code != Codes.NothingGained).Select(Sentence)]);
    }

    /// <summary>A model that was refused.</summary>
    public static string Of(string name, Diagnostic refusal, IEnumerable<Diagnostic> warnings) =>
        Line(name, None, "error", None, None, [Sentence(refusal), .. warnings.Select(Sentence)]);

    /// <summary>A fault of the program.</summary>
    public static string Crash(string name, Exception fault) => Line(name, None, "CRASH", None, None, [$"{fault.GetType().Name}: {fault.Message}"]);

    /// <summary>The code of a message, its node if it has one, and its first sentence.</summary>
    public static string Sentence(Diagnostic diagnostic)
    {
        string message = diagnostic.Message;
        int end = -1;
        do
        {
            end = message.IndexOf(". ", end + 1, StringComparison.Ordinal);
        }
        while (end >= 0 && end + 2 < message.Length && !char.IsUpper(message[end + 2]));
        return $"{diagnostic.Code.Id}: {(end < 0 ? message : message[..end])}";
    }

    /// <summary><c>60 convolutions ('/a', '/b', '/c', …): reason</c> without the names of the nodes.</summary>
    public static string WithoutNames(string reason)
    {
        int start = reason.IndexOf(" ('", StringComparison.Ordinal);
        int[] ends = [.. new[] { "'): ", "', …): " }.Select(e => (e, at: start < 0 ? -1 : reason.IndexOf(e, start, StringComparison.Ordinal))).Where(e => e.at >= 0).Select(e => e.at + e.e.Length)];
        return ends.Length == 0 ? reason : $"{reason[..start]}: {reason[ends.Min()..]}";
    }

    /// <summary>Text as a cell may hold it: in one line, cut at a word's end, and with no mark that ends the cell.</summary>
    public static string Cell(string text)
    {
        string line = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        if (line.Length > MostCharacters)
        {
            int end = line.LastIndexOf(' ', MostCharacters);
            line = line[..(end > 0 ? end : MostCharacters)].TrimEnd(',', ';', ':') + " …";
        }

        return line.Replace("|", "\\|").Replace("<", "&lt;");
    }

    private static string SpeedUp(MeasuredScenario s) => $"{ReportText.Factor(s.Speedup)} [{ReportText.Factor(s.SpeedupInterval[0])}, {ReportText.Factor(s.SpeedupInterval[1])}]";

    private static string Line(string name, string layers, string shipped, string error, string speedUp, IEnumerable<string> reasons) =>
        $"| {string.Join(" | ", [.. new[] { name, layers, shipped, error, speedUp }.Select(Cell), string.Join("; ", reasons.Distinct().Select(Cell))])} |";
}
