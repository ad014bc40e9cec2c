using System.Text.RegularExpressions;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.EndToEnd.Tests.Readme;

/// <summary>The pages in build/docs, and what they share with the README.</summary>
public sealed class PagesTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("mixed-precision").FullName;

    public static TheoryData<string> Pages => new(["README.md", "CHANGELOG.md", .. Directory.EnumerateFiles(Repository.Path("build/docs"), "*.md").Select(file => "build/docs/" + Path.GetFileName(file))]);

    [Theory]
    [MemberData(nameof(Pages))]
    public void Links_lead_to_files_and_headings_that_are_there(string path)
    {
        Markdown page = Markdown.Read(path);
        foreach (string link in page.Links.Where(link => !link.Contains("://", StringComparison.Ordinal)))
        {
            string[] parts = link.Split('#');
            string target = parts[0].Length == 0 ? path : Path.GetRelativePath(Repository.Path("."), Path.Combine(Path.GetDirectoryName(Repository.Path(path))!, parts[0]));
            Assert.True(File.Exists(Repository.Path(target)), $"{path}: {link}");
            Assert.True(parts.Length == 1 || Markdown.Read(target).Anchors.Contains(parts[1]), $"{path}: {link} names no heading");
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Policies_are_valid(string path)
    {
        string[] policies = [.. Markdown.Read(path).Blocks("yaml")];
        Assert.True(policies.Length > 0 || path is not ("README.md" or "build/docs/policy.md"), path);
        foreach (string policy in policies)
        {
            string file = Path.Combine(folder, "model.policy.yaml");
            // A page may show a section by itself.
            File.WriteAllText(file, Regex.IsMatch(policy, "^model:", RegexOptions.Multiline) ? policy : "model: model.onnx\n" + policy);
            Assert.Equal("model.onnx", Policy.Load(file).Model);
        }
    }

    [Theory]
    [MemberData(nameof(Pages))]
    public void Codes_and_properties_that_a_page_names_exist(string path)
    {
        string text = Markdown.Read(path).Text;
        string known = File.ReadAllText(Repository.Path("build/MixedPrecision.Build.props"));
        HashSet<string> codes = [.. typeof(Codes).GetFields().Select(field => ((ErrorCode)field.GetValue(null)!).Id)];

        Assert.All(Regex.Matches(text, "MPB[0-9]{4}").Select(match => match.Value), code => Assert.Contains(code, codes));
        Assert.All(Regex.Matches(text, @"\bMixedPrecision[A-Z][A-Za-z]+").Select(match => match.Value), property => Assert.Contains($" {property} ", known, StringComparison.Ordinal));
    }

    [Fact]
    public void The_page_of_the_policy_has_every_key_and_no_other()
    {
        Markdown page = Markdown.Read("build/docs/policy.md");
        string[] explained = [.. page.Lines.Select(line => Regex.Match(line, "^(?:## |- )`([a-zA-Z.\\[\\]]+)`")).Where(match => match.Success).Select(match => match.Groups[1].Value)];

        Assert.Distinct(explained);
        Assert.Equal(Schemas.FieldsOf("build/policy.schema.json", longForms: true).Order(StringComparer.Ordinal), explained.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_table_of_the_policy_has_every_key_and_no_other() =>
        Assert.Equal(Schemas.PolicyKeys().Order(StringComparer.Ordinal), Markdown.Read("build/docs/policy.md").Table("key").Select(row => Markdown.QuotedIn(row[0]).Single()).Order(StringComparer.Ordinal));

    [Fact]
    public void The_table_of_settings_has_the_properties_of_the_package_and_the_options_of_the_tool()
    {
        IReadOnlyList<string[]> rows = Markdown.Read("build/docs/properties.md").Table("setting");
        string help = ProcessRun.Dotnet(AppContext.BaseDirectory, "exec", Path.Combine(AppContext.BaseDirectory, "mixed-precision.dll"), "quantize", "--help").Output;
        string[] options = [.. Regex.Matches(help, "^  (?:-[a-z], )?(--[a-z-]+)(?: <([A-Z]+)>)?", RegexOptions.Multiline).Select(match => $"{match.Groups[1].Value} {match.Groups[2].Value}".Trim())];

        Assert.NotEmpty(options);
        Assert.Equal(options.Order(StringComparer.Ordinal), rows.SelectMany(row => Markdown.QuotedIn(row[2])).Where(option => option.StartsWith('-')).Order(StringComparer.Ordinal));
        Assert.Equal(PublicProperties.All.Order(StringComparer.Ordinal), rows.SelectMany(row => Markdown.QuotedIn(row[1])).Order(StringComparer.Ordinal));
        Assert.Subset(Schemas.PolicyKeys().ToHashSet(), rows.SelectMany(row => Markdown.QuotedIn(row[3])).ToHashSet());
    }

    [Fact]
    public void The_folders_of_the_repository_are_all_told_of() =>
        Assert.Equal(Folders().Order(StringComparer.Ordinal), Markdown.Read("build/docs/contributing.md").Table("folder").Select(row => Markdown.QuotedIn(row[0]).Single()).Order(StringComparer.Ordinal));

    /// <summary>What the page tells to change, when something is added, is there.</summary>
    [Fact]
    public void Files_that_the_page_for_contributors_names_exist()
    {
        string page = File.ReadAllText(Repository.Path("build/docs/contributing.md"));
        string[] sources = [.. new[] { "src", "tests" }.SelectMany(folder => Directory.EnumerateFiles(Repository.Path(folder), "*.cs", SearchOption.AllDirectories)).Select(file => file.Replace('\\', '/'))];
        Assert.All(Regex.Matches(page, "`([A-Za-z/.]+\\.cs)`").Select(match => match.Groups[1].Value), name => Assert.Contains(sources, file => file.EndsWith("/" + name, StringComparison.Ordinal)));
        Assert.All(Regex.Matches(page, "`([A-Za-z]+Tests)`").Select(match => match.Groups[1].Value), name => Assert.Contains(sources, file => file.EndsWith($"/{name}.cs", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_page_of_the_properties_has_those_of_the_package_with_their_defaults()
    {
        Markdown page = Markdown.Read("build/docs/properties.md");
        string props = File.ReadAllText(Repository.Path("build/MixedPrecision.Build.props")), targets = File.ReadAllText(Repository.Path("build/MixedPrecision.Build.targets"));
        Dictionary<string, string> defaults = Regex.Matches(props, @"<(MixedPrecision\w+) Condition=""'\$\(\1\)' == ''"">(.*)</\1>").ToDictionary(match => match.Groups[1].Value, match => match.Groups[2].Value);
        IReadOnlyList<string[]> properties = page.Table("property"), items = page.Table("item");

        Assert.Equal(
            Regex.Matches(props + targets, @"\$\((MixedPrecision[A-Za-z]+)\)").Select(match => match.Groups[1].Value).Distinct().Order(StringComparer.Ordinal),
            properties.Select(row => Markdown.QuotedIn(row[0]).Single()).Order(StringComparer.Ordinal));
        Assert.All(properties, row =>
        {
            string? real = defaults.GetValueOrDefault(Markdown.QuotedIn(row[0]).Single());
            Assert.Equal(real?.Contains("$(", StringComparison.Ordinal) == true ? null : real, Markdown.QuotedIn(row[1]).SingleOrDefault());
        });
        Assert.Equal(
            Regex.Matches(targets, @"@\((MixedPrecision[A-Za-z]+)\b").Select(match => match.Groups[1].Value).Distinct(),
            items.Select(row => Markdown.QuotedIn(row[0]).Single()));
        Assert.Equal(
            Regex.Matches(targets, @"%\(_MixedPrecisionModel\.([A-Z][A-Za-z]+)\)' == ''").Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal),
            items.SelectMany(row => Markdown.QuotedIn(row[1])).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_page_of_the_manifest_has_every_field_in_order() =>
        Assert.Equal(Schemas.FieldsOf("build/manifest.schema.json"), Markdown.Read("build/docs/manifest.md").Table("field").Select(row => Markdown.QuotedIn(row[0]).Single()));

    /// <summary>The folders that a reader of the repository meets: projects, the engine's folders, and what the package has besides.</summary>
    private static IEnumerable<string> Folders()
    {
        string[] projects = [.. new[] { "samples", "src", "tests" }.SelectMany(Below).Where(folder => Directory.EnumerateFiles(Repository.Path(folder), "*.csproj").Any())];
        return ["build", .. Below("build"), .. projects, .. Below("src/MixedPrecision")];
    }

    private static IEnumerable<string> Below(string folder) => Directory.EnumerateDirectories(Repository.Path(folder))
        .Select(path => Path.GetFileName(path)).Where(name => name is not ("bin" or "obj")).Select(name => $"{folder}/{name}");

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
