using System.Reflection;
using System.Text.RegularExpressions;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Tests.Diagnostics;

/// <summary>Codes, the methods that make their errors, and the page that explains them, held together.</summary>
public sealed partial class CodesTests
{
    private static readonly FieldInfo[] Fields = typeof(Codes).GetFields(BindingFlags.Public | BindingFlags.Static);

    private static readonly ErrorCode[] All = [.. Fields.Select(field => (ErrorCode)field.GetValue(null)!)];

    [Fact]
    public void Codes_are_well_formed_and_none_is_given_twice()
    {
        Assert.All(All, code => Assert.Matches("^MPB[1-9][0-9]{3}$", code.Id));
        Assert.All(All, code => Assert.True(code.Title.Length > 0 && code.Title == code.Title.Trim() && !code.Title.EndsWith('.'), $"{code.Id} '{code.Title}'"));
        Assert.Distinct(All.Select(code => code.Id));
        Assert.Distinct(All.Select(code => code.Title));
    }

    [Fact]
    public void Numbers_of_a_range_start_at_one_and_have_no_gap() =>
        Assert.All(All.GroupBy(code => code.Id[..4]), range => Assert.Equal(
            Enumerable.Range(1, range.Count()).Select(number => $"{range.Key}{number:000}"),
            range.Select(code => code.Id).Order(StringComparer.Ordinal)));

    [Fact]
    public void The_page_has_one_section_a_code_in_order_with_its_title() =>
        Assert.Equal(
            All.OrderBy(code => code.Id, StringComparer.Ordinal).Select(code => $"{code.Id}: {code.Title}"),
            Sections().Select(section => section.Heading));

    [Fact]
    public void Every_section_of_the_page_gives_cause_and_remedy() =>
        Assert.All(Sections(), section => Assert.True(CauseAndRemedy().IsMatch(section.Text), section.Heading));

    [Fact]
    public void Every_code_is_used()
    {
        string factories = string.Concat(SourcesOf("src/MixedPrecision/Diagnostics").Where(file => Path.GetFileName(file).StartsWith("Errors.", StringComparison.Ordinal)).Select(File.ReadAllText));
        // The task runs in MSBuild's own process without the engine, so it writes its codes itself.
        string task = string.Concat(SourcesOf("src/MixedPrecision.Build").Select(File.ReadAllText));

        Assert.All(Fields.Zip(All), code => Assert.True(
            Regex.IsMatch(factories, $@"\bCodes\.{code.First.Name}\b") || task.Contains($"\"{code.Second.Id}\"", StringComparison.Ordinal),
            $"{code.First.Name} ({code.Second.Id}) is used by no method of Errors"));
    }

    [Fact]
    public void Every_method_that_makes_an_error_is_called()
    {
        string[] sources = [.. SourcesOf("src/MixedPrecision"), .. SourcesOf("src/MixedPrecision.Cli")];
        string engine = string.Concat(sources.Select(File.ReadAllText));
        string[] methods = [.. typeof(Errors).GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.DeclaredOnly)
            .Where(method => method.IsPublic || method.IsAssembly).Select(method => method.Name).Distinct()];

        Assert.NotEmpty(methods);
        Assert.All(methods, method => Assert.True(Regex.IsMatch(engine, $@"\bErrors\.{method}\b"), $"Errors.{method} is never called"));
    }

    private static List<(string Heading, string Text)> Sections()
    {
        string page = File.ReadAllText(RepositoryRoot.Path("build/docs/errors.md")).ReplaceLineEndings("\n");
        return [.. Regex.Split(page, "^## ", RegexOptions.Multiline).Skip(1).Select(section => section.Split('\n', 2)).Select(parts => (parts[0].Trim(), parts[1]))];
    }

    /// <summary>The source files of a project, without what a build generates.</summary>
    private static IEnumerable<string> SourcesOf(string folder) => Directory
        .EnumerateFiles(RepositoryRoot.Path(folder), "*.cs", SearchOption.AllDirectories)
        .Where(file => !file.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal));

    [GeneratedRegex(@"^\s*Cause: \S.*\nRemedy: \S.*$", RegexOptions.Singleline)]
    private static partial Regex CauseAndRemedy();
}
