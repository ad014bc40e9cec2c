using System.Globalization;
using System.Text.RegularExpressions;

namespace MixedPrecision.Cli;

/// <summary>Ages and sizes as one types them: a number and its unit.</summary>
internal static partial class CacheAmounts
{
    private static readonly Dictionary<string, TimeSpan> Ages = new()
    {
        ["m"] = TimeSpan.FromMinutes(1),
        ["h"] = TimeSpan.FromHours(1),
        ["d"] = TimeSpan.FromDays(1),
        ["w"] = TimeSpan.FromDays(7),
    };

    private static readonly Dictionary<string, long> Sizes = new(StringComparer.OrdinalIgnoreCase)
    {
        ["B"] = 1,
        ["kB"] = 1_000,
        ["MB"] = 1_000_000,
        ["GB"] = 1_000_000_000,
        ["TB"] = 1_000_000_000_000,
    };

    [GeneratedRegex(@"^([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([A-Za-z]{1,2})$")]
    private static partial Regex Amount { get; }

    /// <summary>Such as 30d, or null.</summary>
    public static TimeSpan? Age(string text) => Split(text) is var (number, unit) && Ages.TryGetValue(unit, out TimeSpan one) ? one * number : null;

    /// <summary>Such as 2GB, in bytes of which a kB has 1,000; or null.</summary>
    public static long? Size(string text) => Split(text) is var (number, unit) && Sizes.TryGetValue(unit, out long one) ? (long)(one * number) : null;

    private static (double Number, string Unit)? Split(string text) =>
        Amount.Match(text) is { Success: true } match ? (double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture), match.Groups[2].Value) : null;
}
