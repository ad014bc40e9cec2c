using System.CommandLine;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using MixedPrecision.Cli;

namespace MixedPrecision.EndToEnd.Tests.Readme;

/// <summary>What the README says, held against what it speaks of.</summary>
public sealed class ReadmeTests
{
    private const string PublishCommand = "dotnet publish samples/DocArea -c Release -o out";
    private const string TestCommand = "dotnet test MixedPrecision.Build.sln -c Release";

    private static readonly Markdown Readme = Markdown.Read("README.md");

    [Fact]
    public void It_is_short() => Assert.InRange(Readme.Lines.Count, 1, 299);

    [Fact]
    public void Its_commands_are_these_and_what_they_name_is_there()
    {
        Assert.Equal(
            [
                PublishCommand,
                "out/DocArea \"Compresses a stream with the Brotli algorithm\"",
                TestCommand,
                "dotnet run --project src/MixedPrecision.Cli -c Release -- quantize POLICY --output DIR",
            ],
            Readme.Blocks("sh").SelectMany(block => block.TrimEnd().Split('\n')));
        Assert.All(
            ["samples/DocArea/DocArea.csproj", "MixedPrecision.Build.sln", "src/MixedPrecision.Cli/MixedPrecision.Cli.csproj"],
            file => Assert.True(File.Exists(Repository.Path(file)), file));
        Assert.Contains(TestCommand, File.ReadAllLines(Repository.Path(".ci/run")));
    }

    [Fact]
    public void The_sample_prints_areas_that_it_knows_with_falling_probabilities()
    {
        (string Share, string Area)[] printed = [.. Readme.Blocks("text")[^1].TrimEnd().Split('\n').Select(line => (line[..5], line[9..]))];
        using JsonDocument labels = JsonDocument.Parse(File.ReadAllText(Repository.Path("samples/DocArea/labels.json")));
        HashSet<string> areas = [.. labels.RootElement.GetProperty("classes").EnumerateArray().Select(area => area.GetString()!)];

        Assert.Equal(5, printed.Length);
        Assert.All(printed, line => Assert.Contains(line.Area, areas));
        double[] shares = [.. printed.Select(line => double.Parse(line.Share, System.Globalization.CultureInfo.InvariantCulture))];
        Assert.Equal(shares.OrderDescending(), shares);
    }

    [Fact]
    public void Its_verbs_are_those_of_the_tool()
    {
        Command root = new CommandLine().Parse([], (_, _) => throw new InvalidOperationException("nothing is run")).RootCommandResult.Command;
        string line = Readme.Lines.Single(line => line.StartsWith("The command line has the verbs ", StringComparison.Ordinal));

        Assert.Equal(root.Subcommands.Select(verb => verb.Name), Markdown.QuotedIn(line[..line.IndexOf(':', StringComparison.Ordinal)]));
    }

    [Fact]
    public void Its_settings_are_the_properties_of_the_package_and_the_options_of_the_tool()
    {
        IReadOnlyList<string[]> rows = Readme.Table("setting");
        string help = ProcessRun.Dotnet(AppContext.BaseDirectory, "exec", Path.Combine(AppContext.BaseDirectory, "mixed-precision.dll"), "quantize", "--help").Output;
        string[] options = [.. Regex.Matches(help, "^  (?:-[a-z], )?(--[a-z-]+)(?: <([A-Z]+)>)?", RegexOptions.Multiline).Select(match => $"{match.Groups[1].Value} {match.Groups[2].Value}".Trim())];

        Assert.NotEmpty(options);
        Assert.Equal(options.Order(StringComparer.Ordinal), rows.SelectMany(row => Markdown.QuotedIn(row[2])).Where(option => option.StartsWith('-')).Order(StringComparer.Ordinal));
        Assert.Equal(
            Properties().Order(StringComparer.Ordinal),
            rows.SelectMany(row => Markdown.QuotedIn(row[1])).Order(StringComparer.Ordinal));
        Assert.Subset(Schemas.PolicyKeys().ToHashSet(), rows.SelectMany(row => Markdown.QuotedIn(row[3])).ToHashSet());
    }

    [Fact]
    public void Its_policy_keys_are_those_of_the_schema() =>
        Assert.Equal(Schemas.PolicyKeys().Order(StringComparer.Ordinal), Readme.Table("key").Select(row => Markdown.QuotedIn(row[0]).Single()).Order(StringComparer.Ordinal));

    [Fact]
    public void Its_formats_are_those_of_the_engine() =>
        Assert.Equal(Policies.FormatFamilies.All.Select(family => family.Name), Readme.Table("format").Select(row => Markdown.QuotedIn(row[0]).Single()));

    [Fact]
    public void Its_project_snippets_are_XML_with_known_properties_and_this_package()
    {
        XElement[] snippets = [.. Readme.Blocks("xml").Select(block => XElement.Parse($"<Project>{block}</Project>"))];
        XElement properties = XElement.Load(Repository.Path("Directory.Build.props"));

        Assert.NotEmpty(snippets);
        Assert.Subset(Properties().ToHashSet(), snippets.SelectMany(snippet => snippet.Elements("PropertyGroup").Elements()).Select(element => element.Name.LocalName).ToHashSet());
        XElement package = Assert.Single(snippets.SelectMany(snippet => snippet.Elements("ItemGroup").Elements()));
        Assert.Equal("PackageReference", package.Name.LocalName);
        Assert.Equal("MixedPrecision.Build", package.Attribute("Include")?.Value);
        Assert.Equal(properties.Descendants("Version").Single().Value, package.Attribute("Version")?.Value);
        Assert.Equal("all", package.Attribute("PrivateAssets")?.Value);
    }

    [Fact]
    public void Its_sample_line_is_JSON() =>
        Assert.All(Readme.Blocks("json"), block => JsonDocument.Parse(block).Dispose());

    [Fact]
    public void Its_folders_are_those_of_the_repository() =>
        Assert.Equal(Folders().Order(StringComparer.Ordinal), Readme.Table("folder").Select(row => Markdown.QuotedIn(row[0]).Single()).Order(StringComparer.Ordinal));

    /// <summary>Public properties and items: those that the props describe, each of which props or targets really use.</summary>
    private static string[] Properties()
    {
        string props = File.ReadAllText(Repository.Path("build/MixedPrecision.Build.props"));
        string used = props + File.ReadAllText(Repository.Path("build/MixedPrecision.Build.targets"));
        string[] described = [.. Regex.Matches(props, "^ {6}(MixedPrecision[A-Za-z]+) ", RegexOptions.Multiline).Select(match => match.Groups[1].Value)];
        string[] found = [.. Regex.Matches(used, @"[$@]\((MixedPrecision[A-Za-z]+)\b").Select(match => match.Groups[1].Value).Distinct()];
        Assert.Equal(found.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
        return described;
    }

    /// <summary>The folders that a reader of the repository meets: projects, the engine's folders, and what the package has besides.</summary>
    private static IEnumerable<string> Folders()
    {
        string[] projects = [.. new[] { "samples", "src", "tests" }.SelectMany(Below).Where(folder => Directory.EnumerateFiles(Repository.Path(folder), "*.csproj").Any())];
        return ["build", .. Below("build"), .. projects, .. Below("src/MixedPrecision")];
    }

    private static IEnumerable<string> Below(string folder) => Directory.EnumerateDirectories(Repository.Path(folder))
        .Select(path => Path.GetFileName(path)).Where(name => name is not ("bin" or "obj")).Select(name => $"{folder}/{name}");
}
