using System.Text.RegularExpressions;

namespace MixedPrecision.EndToEnd.Tests.Readme;

/// <summary>Public properties and items of the package: those that the props describe, each of which props or targets really use.</summary>
internal static class PublicProperties
{
    public static IReadOnlyList<string> All { get; } = Find();

    private static string[] Find()
    {
        string props = File.ReadAllText(Repository.Path("build/MixedPrecision.Build.props"));
        string used = props + File.ReadAllText(Repository.Path("build/MixedPrecision.Build.targets"));
        string[] described = [.. Regex.Matches(props, "^ {6}(MixedPrecision[A-Za-z]+) ", RegexOptions.Multiline).Select(match => match.Groups[1].Value)];
        string[] found = [.. Regex.Matches(used, @"[$@]\((MixedPrecision[A-Za-z]+)\b").Select(match => match.Groups[1].Value).Distinct()];
        Assert.Equal(found.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
        return described;
    }
}
