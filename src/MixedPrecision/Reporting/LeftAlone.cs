using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>Why layers and other linear operators stay as they are, for people: each reason once, with how many it concerns.</summary>
public static class LeftAlone
{
    private const int MostNames = 3;

    private static readonly Dictionary<string, string> Nouns = new()
    {
        ["MatMul"] = "matrix product",
        ["Gemm"] = "matrix product",
        ["Conv"] = "convolution",
        ["ConvTranspose"] = "transposed convolution",
        ["Gather"] = "table look-up",
    };

    /// <summary>One line for each kind of operator and reason, in order of first occurrence: <c>60 convolutions ('/a', '/b', '/c', …): reason</c>.</summary>
    public static IEnumerable<string> Lines(IEnumerable<ExcludedNode> nodes) => nodes
        .GroupBy(n => (Noun: Nouns.GetValueOrDefault(n.Operator) ?? $"{Wording.Escape(n.Operator)} node", n.Reason))
        .Select(g =>
        {
            string[] names = [.. g.Select(n => n.Name).Distinct()];
            string shown = string.Join(", ", names.Take(MostNames).Select(Wording.Quote)) + (names.Length > MostNames ? ", …" : "");
            return $"{ReportText.Count(names.Length, g.Key.Noun)} ({shown}): {g.Key.Reason}";
        });

    /// <summary>The reasons of one layer, each once: after the formats it keeps from the layer, or alone where it keeps all of them.</summary>
    /// <param name="name">The layer's name.</param>
    /// <param name="kind">Its operator.</param>
    /// <param name="notApplicable">Reason by name of the format.</param>
    /// <param name="isAll">Whether no format is left but the baseline.</param>
    public static IEnumerable<ExcludedNode> Of(string name, string kind, IReadOnlyDictionary<string, string> notApplicable, bool isAll) => notApplicable
        .GroupBy(r => r.Value)
        .Select(g => new ExcludedNode(name, kind, isAll && g.Count() == notApplicable.Count ? g.Key : $"not {string.Join(", ", g.Select(r => r.Key))}: {g.Key}"));
}
