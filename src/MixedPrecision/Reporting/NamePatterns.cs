using System.Globalization;
using System.Text.RegularExpressions;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Reporting;

/// <summary>Names of equal parts of a model as few patterns: <c>/layers.{0–11}/query</c>. Parts are alike by their names where these differ in numbers alone.</summary>
internal static partial class NamePatterns
{
    private const int MostPatterns = 3;

    /// <summary>Longer ones are no count.</summary>
    private const int MostDigits = 6;

    private const char Place = '\0';

    [GeneratedRegex("[0-9]+")]
    private static partial Regex Number { get; }

    /// <summary>A name with its numbers left open: equal for names that differ in numbers alone.</summary>
    public static string Open(string name) => Number.Replace(name.Replace(Place, '\uFFFD'), match => IsCount(match) ? Place.ToString() : match.Value);

    /// <summary>The patterns of names, separated by commas; of many the first ones. Names are untrusted: nothing in the text is a control character.</summary>
    public static string Text(IEnumerable<string> names) => Text(names, pattern => pattern);

    /// <summary>The same with each pattern in quotes.</summary>
    public static string Quoted(IEnumerable<string> names) => Text(names, pattern => $"'{pattern}'");

    /// <summary>The patterns of names, in the order of their first ones.</summary>
    public static IReadOnlyList<string> Of(IEnumerable<string> names) => [.. names.Distinct().GroupBy(Open).SelectMany(alike =>
    {
        string[] between = alike.Key.Split(Place);
        int[][] numbers = [.. alike.Select(name => Number.Matches(name).Where(IsCount).Select(match => int.Parse(match.Value, CultureInfo.InvariantCulture)).ToArray())];
        return Products(numbers, 0).Select(product =>
            Wording.Escape(string.Concat(between.Select((text, i) => i == 0 ? text : (product[i - 1] is [int only] ? only.ToString(CultureInfo.InvariantCulture) : $"{{{Numbers(product[i - 1])}}}") + text))));
    })];

    /// <summary>Numbers in ascending order: <c>0–5</c>, <c>0, 4, …, 20</c>, <c>1, 3–5</c>; of many without order the first ones and the last.</summary>
    public static string Numbers(IReadOnlyCollection<int> numbers)
    {
        int[] sorted = [.. numbers.Distinct().Order()];
        var runs = new List<(int First, int Last)>();
        foreach (int number in sorted)
        {
            if (runs.Count > 0 && runs[^1].Last == number - 1)
            {
                runs[^1] = (runs[^1].First, number);
            }
            else
            {
                runs.Add((number, number));
            }
        }

        return sorted.Length > 3 && runs.Count > 1 && sorted.Zip(sorted.Skip(1), (a, b) => b - a).Distinct().Count() == 1 ? string.Create(CultureInfo.InvariantCulture, $"{sorted[0]}, {sorted[1]}, …, {sorted[^1]}")
            : runs.Count <= 4 ? string.Join(", ", runs.Select(Text))
            : $"{Text(runs[0])}, {Text(runs[1])}, …, {Text(runs[^1])}";
    }

    private static string Text((int First, int Last) run) => run.First == run.Last ? run.First.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{run.First}–{run.Last}");

    private static string Text(IEnumerable<string> names, Func<string, string> quote)
    {
        IReadOnlyList<string> patterns = Of(names);
        return string.Join(", ", patterns.Take(MostPatterns).Select(quote)) + (patterns.Count > MostPatterns ? ", …" : "");
    }

    /// <summary>A leading zero is part of a name, not of a count: it would be lost.</summary>
    private static bool IsCount(Match match) => match.Length <= MostDigits && (match.Length == 1 || match.Value[0] != '0');

    /// <summary>Lists of numbers as products of sets: exactly those lists are their elements.</summary>
    private static List<int[][]> Products(int[][] numbers, int place)
    {
        if (place == numbers[0].Length)
        {
            return [[]];
        }

        var products = new List<int[][]>();
        var known = new Dictionary<string, List<int[][]>>();
        var firsts = new Dictionary<string, List<int>>();
        foreach (IGrouping<int, int[]> same in numbers.GroupBy(n => n[place]).OrderBy(g => g.Key))
        {
            List<int[][]> rest = Products([.. same], place + 1);
            string key = string.Join('|', rest.Select(product => string.Join(';', product.Select(set => string.Join(',', set)))));
            known.TryAdd(key, rest);
            if (!firsts.TryGetValue(key, out List<int>? values))
            {
                firsts.Add(key, values = []);
            }

            values.Add(same.Key);
        }

        foreach ((string key, List<int> values) in firsts)
        {
            products.AddRange(known[key].Select(rest => (int[][])[[.. values], .. rest]));
        }

        return products;
    }
}
