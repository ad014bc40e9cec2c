using System.Text.RegularExpressions;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Policies;

/// <summary>The names of formats stand in one place of the code; the documents have the same, each once explained. (The schema: PolicySchemaTests. The formats: NumberFormatTests.)</summary>
public class FormatNamesTests
{
    [Fact]
    public void The_table_of_the_read_me_has_a_row_for_each() => Assert.Equal(
        FormatNames.All,
        Regex.Matches(Section("README.md", "| format | weight |"), @"^\| `([a-z0-9-]+)` \|", RegexOptions.Multiline).Select(m => m.Groups[1].Value));

    [Fact]
    public void The_page_about_policies_explains_each()
    {
        string section = Section("build/docs/policy.md", "## `formats`");
        string[] explained = [.. Regex.Matches(section, "^- (.*?):", RegexOptions.Multiline).SelectMany(m => Regex.Matches(m.Groups[1].Value, "`([a-z0-9-]+)`")).Select(m => m.Groups[1].Value)];
        Assert.Equal(FormatNames.All, explained);
        Assert.All(FormatNames.Presets.Keys, preset => Assert.Contains($"`{preset}`", section, StringComparison.Ordinal));
    }

    [Fact]
    public void No_other_source_of_the_engine_writes_them()
    {
        string[] others = [.. Directory.EnumerateFiles(RepositoryRoot.Path("src/MixedPrecision"), "*.cs", SearchOption.AllDirectories)
            .Where(f => Path.GetFileName(f) != "FormatNames.cs" && !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .Where(f => FormatNames.All.Any(name => File.ReadAllText(f).Contains($"Name: \"{name}\"", StringComparison.Ordinal) || File.ReadAllText(f).Contains($"Get(\"{name}\")", StringComparison.Ordinal)))];
        Assert.Empty(others);
    }

    /// <summary>From a line on to the next heading.</summary>
    private static string Section(string file, string start)
    {
        string text = File.ReadAllText(RepositoryRoot.Path(file)).ReplaceLineEndings("\n");
        text = text[text.IndexOf(start, StringComparison.Ordinal)..];
        int end = text.IndexOf("\n## ", 1, StringComparison.Ordinal);
        return end < 0 ? text : text[..end];
    }
}
