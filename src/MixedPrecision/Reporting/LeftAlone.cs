using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>Why layers and other linear operators stay as they are, for people: each reason once, with how many it concerns.</summary>
public static class LeftAlone
{
    private static readonly Dictionary<string, string> Nouns = new()
    {
        ["MatMul"] = "matrix product",
        ["Gemm"] = "matrix product",
        ["Conv"] = "convolution",
        ["ConvTranspose"] = "transposed convolution",
        ["Gather"] = "table look-up",
    };

    /// <summary>One line for each kind of operator and reason, in order of first occurrence: <c>24 matrix products ('/layers.{0–11}/query', …): reason</c>.</summary>
    public static IEnumerable<string> Lines(IEnumerable<ExcludedNode> nodes) => nodes
        .GroupBy(n => (Noun: Nouns.GetValueOrDefault(n.Operator) ?? $"{Wording.Escape(n.Operator)} node", n.Reason))
        .Select(g =>
        {
            string[] names = [.. g.Select(n => n.Name).Distinct()];
            return $"{ReportText.Count(names.Length, g.Key.Noun)} ({NamePatterns.Quoted(names)}): {g.Key.Reason}";
        });

    /// <summary>The reasons of one layer, each once: after the formats it keeps from the layer, or alone where it keeps all of them. A family that the reason keeps as a whole stands without parameters.</summary>
    /// <param name="name">The layer's name.</param>
    /// <param name="kind">Its operator.</param>
    /// <param name="notApplicable">Reason by name of the format.</param>
    /// <param name="left">Formats that the layer may have, without the baseline.</param>
    public static IEnumerable<ExcludedNode> Of(string name, string kind, IReadOnlyDictionary<string, string> notApplicable, IReadOnlyCollection<string> left)
    {
        bool IsWhole(string family, string reason) =>
            left.All(f => FormatNames.Family(f) != family) && notApplicable.All(r => FormatNames.Family(r.Key) != family || r.Value == reason);
        return notApplicable.GroupBy(r => r.Value).Select(g => new ExcludedNode(name, kind, left.Count == 0 && g.Count() == notApplicable.Count ? g.Key
            : $"not {string.Join(", ", g.Select(r => FormatNames.Family(r.Key) is var family && IsWhole(family, g.Key) ? family : r.Key).Distinct())}: {g.Key}"));
    }
}
