namespace MixedPrecision.Reporting;

/// <summary>Formats as short as they can be told apart.</summary>
internal static class FormatNames
{
    /// <summary>The name without parameters.</summary>
    public static string Family(string format) => format.Split('(')[0];

    /// <summary>By its name each format with those parameters alone that others of its family do not share.</summary>
    public static IReadOnlyDictionary<string, string> Short(IEnumerable<string> formats) => formats.Distinct().GroupBy(Family).SelectMany(family =>
    {
        string[] shared = [.. family.Select(ParametersOf).Aggregate((one, other) => [.. one.Intersect(other)])];
        return family.Select(format =>
        {
            string[] own = [.. ParametersOf(format).Except(shared)];
            return (format, Name: own.Length == 0 ? family.Key : $"{family.Key}({string.Join(',', own)})");
        });
    }).ToDictionary(f => f.format, f => f.Name);

    private static string[] ParametersOf(string format) => format.IndexOf('(', StringComparison.Ordinal) is > 0 and var start ? format[(start + 1)..].TrimEnd(')').Split(',') : [];
}
