using System.Globalization;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Reporting;

/// <summary>
/// What came of a model in one sentence, for whoever publishes it: "docarea: 2.2× faster, loss error 0.35 % of 1 % allowed, accuracy 82.4 → 82.2 %, 13.7 → 8.35 MB". It has no slash, since loggers of
/// MSBuild take what stands before the last one for a folder.
/// </summary>
public static class ResultSentence
{
    public static string Of(Manifest manifest)
    {
        string name = Path.GetFileNameWithoutExtension(manifest.Model.File) + (manifest.Scenario is null ? "" : $" ({manifest.Scenario})");
        string[] parts = manifest.Shipped.What == ShippedModel.Original
            ? ["the original is shipped, since nothing was gained"]
            : [.. Speed(manifest.Measured.Scenarios), .. Quality(manifest), Sizes(manifest.Bytes)];
        return $"{Wording.Escape(name)}: {string.Join(", ", parts)}".Replace('/', '∕').Replace('\\', '∖');
    }

    /// <summary>Over the scenarios, by their weights.</summary>
    private static IEnumerable<string> Speed(IReadOnlyList<MeasuredScenario> scenarios)
    {
        double mixed = scenarios.Sum(s => s.Weight * s.MixedMilliseconds);
        if (!(mixed > 0))
        {
            return [];
        }

        double factor = scenarios.Sum(s => s.Weight * s.OriginalMilliseconds) / mixed;
        return [factor >= 1 ? $"{Factor(factor)} faster" : $"{Factor(1 / factor)} slower"];
    }

    private static IEnumerable<string> Quality(Manifest manifest)
    {
        if (manifest.Samples.Evaluation == 0)
        {
            yield break;
        }

        string allowed = manifest.Budget.StatedTau is { } tau ? $" of {ReportText.Percent(tau)} allowed" : "";
        yield return $"loss error {ReportText.Percent(manifest.Measured.RelativeLossError)}{allowed}";
        foreach (ManifestLimit limit in (manifest.Budget.Limits ?? []).Where(l => l.Name != LossLimit.Keys[0]))
        {
            yield return $"{Words(limit.Name)} {limit.Say(limit.Measured)} of {limit.Say(limit.Allowed)} {(limit.IsLeast ? "asked for" : "allowed")}";
        }

        if (manifest.Measured.Accuracy is { } accuracy)
        {
            yield return $"accuracy {ReportText.Number(accuracy.Original * 100)} → {ReportText.Percent(accuracy.Mixed)}";
        }
    }

    private static string Sizes(FileSizes bytes)
    {
        string original = ReportText.Bytes(bytes.Original), mixed = ReportText.Bytes(bytes.Mixed);
        int unit = original.LastIndexOf(' ');
        return $"{(original[unit..] == mixed[mixed.LastIndexOf(' ')..] ? original[..unit] : original)} → {mixed}";
    }

    /// <summary>A key in words: accuracyDrop, accuracy drop.</summary>
    private static string Words(string key) => string.Concat(Wording.Escape(key).Select(c => char.IsAsciiLetterUpper(c) ? $" {char.ToLowerInvariant(c)}" : $"{c}"));

    private static string Factor(double factor) => factor.ToString(factor < 1.95 ? "0.00" : "0.0", CultureInfo.InvariantCulture) + "×";
}
