using System.Globalization;
using System.Text;

namespace MixedPrecision.Diagnostics;

/// <summary>Parts of sentences that messages share.</summary>
public static class Wording
{
    private const int LongestQuote = 80;
    private const int LongestList = 12;
    private const int LongestCompared = 200;

    /// <summary>Untrusted text in quotes, made safe by <see cref="Escape"/>.</summary>
    public static string Quote(string text) => $"'{Escape(text)}'";

    /// <summary>Untrusted text on one line: control characters escaped, the middle of a long text left out.</summary>
    public static string Escape(string text) =>
        EscapeWhole(text.Length <= LongestQuote ? text : $"{text.AsSpan(0, LongestQuote / 2)}…{text.AsSpan(text.Length - (LongestQuote / 2))}");

    /// <summary>Untrusted text on one line, all of it: control characters escaped.</summary>
    public static string EscapeWhole(string text)
    {
        var escaped = new StringBuilder();
        foreach (char c in text)
        {
            if (char.IsControl(c) || char.IsSurrogate(c) || c is '\u2028' or '\u2029')
                escaped.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else
                escaped.Append(c);
        }

        return escaped.ToString();
    }

    /// <summary>Names in quotes, separated by commas; after twelve only how many more there are.</summary>
    public static string List(IReadOnlyCollection<string> names)
    {
        string list = string.Join(", ", names.Take(LongestList).Select(Quote));
        return names.Count > LongestList ? $"{list} and {names.Count - LongestList} more" : list;
    }

    /// <summary>Ends a sentence: <c>; did you mean 'x'?</c> for the nearest name, or a full stop when none is near.</summary>
    public static string DidYouMean(string found, IEnumerable<string> names) =>
        Nearest(found, names) is { } nearest ? $"; did you mean {Quote(nearest)}?" : ".";

    /// <summary>
    /// The name with the least edit distance to what was found, ignoring case; null when even that one differs in more than
    /// a third of its characters (of a short name: in more than one). Of equally near names the first. Names of more than 200
    /// characters are not compared.
    /// </summary>
    public static string? Nearest(string found, IEnumerable<string> names)
    {
        if (found.Length > LongestCompared)
            return null;
        string? nearest = null;
        int least = int.MaxValue;
        foreach (string name in names)
        {
            int limit = Math.Min(least - 1, Math.Max(1, Math.Max(name.Length, found.Length) / 3));
            if (Math.Abs(name.Length - found.Length) > limit)
                continue;
            int distance = EditDistance(found.ToUpperInvariant(), name.ToUpperInvariant());
            if (distance <= limit)
            {
                nearest = name;
                least = distance;
            }
        }

        return nearest;
    }

    /// <summary>Insertions, deletions, replacements and swaps of neighbours that turn one text into the other (optimal string alignment).</summary>
    private static int EditDistance(string a, string b)
    {
        int[] beforePrevious = new int[b.Length + 1];
        int[] previous = new int[b.Length + 1];
        int[] current = new int[b.Length + 1];
        for (int j = 0; j <= b.Length; j++)
            previous[j] = j;
        for (int i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (int j = 1; j <= b.Length; j++)
            {
                int replaced = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                current[j] = Math.Min(replaced, 1 + Math.Min(previous[j], current[j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    current[j] = Math.Min(current[j], beforePrevious[j - 2] + 1);
            }

            (beforePrevious, previous, current) = (previous, current, beforePrevious);
        }

        return previous[b.Length];
    }
}
