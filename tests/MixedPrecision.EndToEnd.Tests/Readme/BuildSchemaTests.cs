using System.Text.Json;
using System.Text.RegularExpressions;

namespace MixedPrecision.EndToEnd.Tests.Readme;

/// <summary>
/// What editors of project files complete and explain (the file that the MSBuild Editor of Visual Studio looks for beside the targets), held against the page of the properties, which another test holds
/// against props and targets.
/// </summary>
public sealed partial class BuildSchemaTests : IDisposable
{
    private const string Targets = "build/MixedPrecision.Build.targets";

    private readonly JsonDocument schema = JsonDocument.Parse(File.ReadAllText(Repository.Path(Targets + ".buildschema.json")));
    private readonly Markdown page = Markdown.Read("build/docs/properties.md");

    [Fact]
    public void Its_properties_are_those_of_the_page_with_their_meaning_and_default()
    {
        IReadOnlyList<string[]> rows = page.Table("property");
        JsonProperty[] properties = [.. schema.RootElement.GetProperty("properties").EnumerateObject()];

        Assert.Equal(rows.Select(row => Markdown.QuotedIn(row[0]).Single()), properties.Select(property => property.Name));
        Assert.All(rows.Zip(properties), pair =>
        {
            (string[] row, JsonProperty property) = pair;
            Assert.Equal(Markdown.QuotedIn(row[1]).SingleOrDefault(), property.Value.TryGetProperty("defaultValue", out JsonElement value) ? value.GetString() : null);
            // Where the default is no value that could be written down, the description names it behind the meaning.
            Assert.StartsWith(Plain(row[2]), Plain(Description(property)), StringComparison.OrdinalIgnoreCase);
            Assert.True(!row[2].StartsWith("`true`", StringComparison.Ordinal) || property.Value.GetProperty("type").GetString() == "bool", property.Name);
        });
    }

    [Fact]
    public void Its_item_has_the_metadata_of_the_page_with_the_meaning_of_the_properties()
    {
        string[] row = Assert.Single(page.Table("item"));
        JsonProperty item = Assert.Single(schema.RootElement.GetProperty("items").EnumerateObject());
        JsonProperty[] metadata = [.. item.Value.GetProperty("metadata").EnumerateObject()];

        Assert.Equal((Markdown.QuotedIn(row[0]).Single(), Plain(row[2])), (item.Name, Plain(Description(item))), Insensitive);
        Assert.Equal(Markdown.QuotedIn(row[1]), metadata.Select(one => one.Name));
        Assert.All(metadata, one => Assert.Equal(
            Description(schema.RootElement.GetProperty("properties").EnumerateObject().Single(property => property.Name == "MixedPrecision" + one.Name)), Description(one)));
    }

    /// <summary>The format knows more; these are the parts that are used here. An unknown one is no error in an editor, and shows nothing.</summary>
    [Fact]
    public void It_has_only_what_the_format_knows()
    {
        string[] ofValue = ["description", "type", "defaultValue"], ofItem = ["description", "includeDescription", "type", "metadata"], types = ["bool", "file", "folder"];

        Assert.Equal(["$schema", "license", "properties", "items"], schema.RootElement.EnumerateObject().Select(part => part.Name));
        JsonProperty item = schema.RootElement.GetProperty("items").EnumerateObject().Single();
        Assert.Subset(ofItem.ToHashSet(), item.Value.EnumerateObject().Select(part => part.Name).ToHashSet());
        Assert.All(schema.RootElement.GetProperty("properties").EnumerateObject().Concat(item.Value.GetProperty("metadata").EnumerateObject()), value =>
        {
            Assert.Subset(ofValue.ToHashSet(), value.Value.EnumerateObject().Select(part => part.Name).ToHashSet());
            Assert.Contains(value.Value.GetProperty("type").GetString(), types);
        });
    }

    public void Dispose() => schema.Dispose();

    private static readonly IEqualityComparer<(string, string)> Insensitive =
        EqualityComparer<(string, string)>.Create((one, other) => one.Item1 == other.Item1 && one.Item2.Equals(other.Item2, StringComparison.OrdinalIgnoreCase));

    private static string Description(JsonProperty property) => property.Value.GetProperty("description").GetString()!;

    /// <summary>Without code marks, links and full stop.</summary>
    private static string Plain(string text) => Link().Replace(text, "$1").Replace("`", "", StringComparison.Ordinal).TrimEnd('.');

    [GeneratedRegex(@"\[([^\]]*)\]\([^)]*\)")]
    private static partial Regex Link();
}
