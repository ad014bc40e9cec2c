using System.Text.Json;
using System.Xml.Linq;

namespace MixedPrecision.EndToEnd.Tests.Readme;

/// <summary>What the README says, held against what it speaks of.</summary>
public sealed class ReadmeTests
{
    private static readonly Markdown Readme = Markdown.Read("README.md");

    [Fact]
    public void It_is_short() => Assert.InRange(Readme.Lines.Count, 1, 249);

    [Fact]
    public void Its_project_snippets_are_XML_with_known_properties_and_this_package()
    {
        XElement[] snippets = [.. Readme.Blocks("xml").Select(block => XElement.Parse($"<Project>{block}</Project>"))];
        XElement properties = XElement.Load(Repository.Path("Directory.Build.props"));

        Assert.NotEmpty(snippets);
        Assert.Subset(PublicProperties.All.ToHashSet(), snippets.SelectMany(snippet => snippet.Elements("PropertyGroup").Elements()).Select(element => element.Name.LocalName).ToHashSet());
        XElement package = Assert.Single(snippets.SelectMany(snippet => snippet.Elements("ItemGroup").Elements()));
        Assert.Equal("PackageReference", package.Name.LocalName);
        Assert.Equal("MixedPrecision.Build", package.Attribute("Include")?.Value);
        Assert.Equal(properties.Descendants("Version").Single().Value, package.Attribute("Version")?.Value);
        Assert.Equal("all", package.Attribute("PrivateAssets")?.Value);
    }

    [Fact]
    public void Its_table_of_pages_has_all() => Assert.Equal(
        Directory.EnumerateFiles(Repository.Path("build/docs"), "*.md").Select(file => "build/docs/" + Path.GetFileName(file)).Order(StringComparer.Ordinal),
        new Markdown(Readme.Path, string.Join('\n', Readme.Table("page").Select(row => row[0]))).Links.Order(StringComparer.Ordinal));

    [Fact]
    public void Its_sample_line_is_JSON() =>
        Assert.All(Readme.Blocks("json"), block => JsonDocument.Parse(block).Dispose());
}
