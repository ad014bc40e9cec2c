using System.Text.RegularExpressions;

namespace MixedPrecision.EndToEnd.Tests.Readme;

/// <summary>A page in Markdown: the parts that can be held against what they speak of.</summary>
/// <param name="Path">Relative to the repository's root.</param>
/// <param name="Text">With line feeds only.</param>
internal sealed partial record Markdown(string Path, string Text)
{
    public static Markdown Read(string path) => new(path, File.ReadAllText(Repository.Path(path)).ReplaceLineEndings("\n"));

    public IReadOnlyList<string> Lines => Text.TrimEnd('\n').Split('\n');

    /// <summary>Contents of the fenced blocks of a language, without the indentation of the fence.</summary>
    public IReadOnlyList<string> Blocks(string language) => [.. Fence().Matches(Text)
        .Where(match => match.Groups["language"].Value == language)
        .Select(match => string.Join('\n', match.Groups["content"].Value.Split('\n').Select(line => line[Math.Min(match.Groups["indentation"].Length, line.Length)..])))];

    /// <summary>The text in back quotes, fenced blocks left out.</summary>
    public IReadOnlyList<string> Quoted => [.. BackQuotes().Matches(Fence().Replace(Text, "")).Select(match => match.Groups[1].Value)];

    /// <summary>Rows of the table whose first header is given, without the header, each as its cells.</summary>
    public IReadOnlyList<string[]> Table(string header) => [.. Lines
        .SkipWhile(line => !line.StartsWith($"| {header} |", StringComparison.Ordinal)).Skip(2)
        .TakeWhile(line => line.StartsWith('|'))
        .Select(line => line.Trim('|').Split('|').Select(cell => cell.Trim()).ToArray())];

    /// <summary>Targets of links, as written.</summary>
    public IReadOnlyList<string> Links => [.. Link().Matches(Fence().Replace(Text, "")).Select(match => match.Groups[1].Value)];

    /// <summary>The anchors of the headings, as links name them.</summary>
    public IReadOnlySet<string> Anchors => Fence().Replace(Text, "").Split('\n')
        .Where(line => line.StartsWith('#'))
        .Select(line => string.Concat(line.TrimStart('#').Trim().ToLowerInvariant().Replace(' ', '-').Where(c => char.IsAsciiLetterOrDigit(c) || c == '-')))
        .ToHashSet();

    /// <summary>A pattern for the README's first result, the sentence that a publish says, with other numbers.</summary>
    public string ResultPattern() => Number().Replace(Regex.Escape(Blocks("text")[0].TrimEnd().Split('\n')[1].Trim()), @"\d+(\.\d+)?");

    /// <summary>What the back quotes of a cell hold.</summary>
    public static string[] QuotedIn(string cell) => [.. BackQuotes().Matches(cell).Select(match => match.Groups[1].Value)];

    [GeneratedRegex("^(?<indentation> *)```(?<language>[a-z]*)\n(?<content>.*?)^ *```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"\d+(\\\.\d+)?")]
    private static partial Regex Number();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex BackQuotes();

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();
}
