using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MixedPrecision.Diagnostics;
using MixedPrecision.Policies;

namespace MixedPrecision.Tests.Policies;

/// <summary>Formats have one text, however they are written; families, parameters and values stand in one place of the code, and the documents have the same.</summary>
public class FormatIdTests
{
    [Theory]
    [InlineData("fp32", "fp32")]
    [InlineData("int8-dynamic", "int8-dynamic(gptq)")]
    [InlineData("int8-dynamic(full)", "int8-dynamic(full,gptq)")]
    [InlineData("int8-dynamic(products)", "int8-dynamic(products)")]
    [InlineData("int4-weight(rounded)", "int4-weight(block=32,symmetric,accuracy=4,rounded)")]
    [InlineData("int4-weight", "int4-weight(block=32,symmetric,accuracy=4,gptq)")]
    [InlineData("int4-weight(block=128)", "int4-weight(block=128,symmetric,accuracy=4,gptq)")]
    [InlineData("int4-weight( accuracy=4, symmetric , block=16 )", "int4-weight(block=16,symmetric,accuracy=4,gptq)")]
    public void Every_way_to_write_a_format_has_the_same_canonical_text(string text, string canonical)
    {
        Assert.Equal(canonical, FormatId.Parse(text).Text);
        Assert.Equal(["fp32", .. canonical == "fp32" ? Array.Empty<string>() : [canonical]], Read($"formats: \"{text}\""));
        Assert.Matches(Pattern, text);
    }

    [Fact]
    public void Canonical_texts_name_themselves_and_are_distinct()
    {
        string[] all = [.. FormatFamilies.All.SelectMany(f => f.All).Select(id => id.Text)];
        Assert.Distinct(all);
        Assert.All(all, text => Assert.Equal(text, FormatId.Parse(text).Text));
        Assert.All(all, text => Assert.Matches(Pattern, text));
        Assert.All(all, text => Assert.DoesNotContain(' ', text));
        Assert.All(FormatFamilies.All, f => Assert.Contains(f.Default.On(isExact: true).Text, all));
        Assert.All(FormatFamilies.All, f => Assert.Contains(f.Default.On(isExact: false).Text, all));
    }

    [Theory]
    [InlineData("int8-dynamic", "int8-dynamic(paired,gptq)", "int8-dynamic(full,gptq)")]
    [InlineData("int8-dynamic(paired)", "int8-dynamic(paired,gptq)", "int8-dynamic(paired,gptq)")]
    [InlineData("int8-dynamic(full)", "int8-dynamic(full,gptq)", "int8-dynamic(full,gptq)")]
    [InlineData("int4-weight", "int4-weight(block=32,symmetric,accuracy=4,gptq)", "int4-weight(block=32,symmetric,accuracy=4,gptq)")]
    public void What_a_policy_leaves_open_the_processor_decides(string text, string saturating, string exact)
    {
        FormatId format = FormatId.Parse(text);
        Assert.Equal((saturating, exact), (format.On(isExact: false).Text, format.On(isExact: true).Text));
        Assert.Equal(saturating != exact, format.IsOpen);
    }

    [Fact]
    public void A_section_says_the_same_as_a_text()
    {
        Assert.Equal(["fp32", "int4-weight(block=128,symmetric,accuracy=4,gptq)"], Read("formats: { int4-weight: { accuracy: 4, block: 128 } }"));
        Assert.Equal(["fp32", "int8-dynamic(products)", "int8-weight(block=64,symmetric,gptq)"], Read("formats: [ { int8-weight: { block: 64, grid: symmetric } }, int8-dynamic(products) ]"));
        Assert.Equal("int4-weight(block=16,symmetric,accuracy=4,gptq)", PolicyTests.Read("model: m\nformats: [\"int4-weight(block=16)\"]\nlayers: [ { match: a, format: { int4-weight: { block: 16 } } } ]").Layers[0].Format);
    }

    [Fact]
    public void Formats_stand_in_one_order_each_once() => Assert.Equal(
        ["fp32", "int8-dynamic(gptq)", "int4-weight(block=32,symmetric,accuracy=4,gptq)", "int4-weight(block=128,symmetric,accuracy=4,gptq)"],
        Read("formats: [ \"int4-weight(block=128)\", int8-dynamic, \"int4-weight(symmetric,block=32)\", int4-weight ]"));

    [Theory]
    [InlineData("int4-weight(block=12)", "MPB1010", "formats: found 'block=12', expected block as one of 16, 32, 64, 128, 256")]
    [InlineData("int8-dynamic(products,gptq)", "MPB1010", "found 'gptq', expected no preparation with products")]
    [InlineData("int4-weight(blok=16)", "MPB1009", "formats: unknown name 'blok=16'; did you mean 'block=16'?")]
    [InlineData("int4-weight(block)", "MPB1010", "found 'block', expected block as one of")]
    [InlineData("int4-weight()", "MPB1009", "unknown name ''")]
    [InlineData("int4-weight(block=16,block=32)", "MPB1010", "found 'block=16 and block=32', expected one value of block")]
    [InlineData("int4-weight(block=16", "MPB1010", "found 'int4-weight(block=16', expected a ')' at the end")]
    [InlineData("int4-weigt(block=16)", "MPB1009", "unknown name 'int4-weigt'; did you mean 'int4-weight'?")]
    [InlineData("fp32(block=16)", "MPB1010", "expected 'fp32', which has no parameters")]
    public void Each_mistake_has_its_code_and_words(string text, string code, string words)
    {
        var error = Assert.Throws<MixedPrecisionException>(() => Read($"formats: \"{text}\""));
        Assert.Equal((code, new Place("p.yaml", 2, 10)), (error.Diagnostic.Code.Id, error.Diagnostic.Place));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => FormatId.Parse(text));
    }

    [Theory]
    [InlineData("[ int8-dynamic, int4-weight(block=128,symmetric,accuracy=4) ]", "MPB1010", 26, "in quotes: \"int4-weight(block=128,symmetric,accuracy=4)\"")]
    [InlineData("[ { int4-weight: { block: 12 } } ]", "MPB1010", 36, "formats[0].int4-weight.block: found the number 12, expected one of '16', '32'")]
    [InlineData("[ { int4-weight: { block: \"16\" } } ]", "MPB1008", 36, "found the text '16'")]
    [InlineData("[ { int4-weight: { size: 16 } } ]", "MPB1005", 29, "unknown key 'size' in int4-weight")]
    [InlineData("[ { int4-weight: {}, int8-weight: {} } ]", "MPB1010", 12, "found 2 keys, expected one key")]
    [InlineData("[ {} ]", "MPB1010", 12, "found nothing, expected one key")]
    [InlineData("[ { fp32: {} } ]", "MPB1005", 14, "unknown key 'fp32' in a format")]
    [InlineData("[ 4 ]", "MPB1008", 12, "formats[0]: found the number 4, expected a format such as")]
    public void Each_mistake_in_a_list_has_its_place_too(string formats, string code, int column, string words)
    {
        var error = Assert.Throws<MixedPrecisionException>(() => Read($"formats: {formats}"));
        Assert.Equal((code, new Place("p.yaml", 2, column)), (error.Diagnostic.Code.Id, error.Diagnostic.Place));
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
    }

    /// <summary>The page of the formats: what each is, what it does to a layer, its parameters, the presets.</summary>
    [Fact]
    public void The_page_of_the_formats_explains_each()
    {
        string page = File.ReadAllText(RepositoryRoot.Path("build/docs/formats.md")).ReplaceLineEndings("\n");
        string[] rows = [.. page.Split('\n').Where(line => line.StartsWith("| `", StringComparison.Ordinal))];
        Assert.Equal(
            FormatFamilies.All.Select(f => $"| `{f.Name}` | {f.Summary} | {f.PrecisionText} |").Concat(FormatFamilies.All.SelectMany(f => f.Parameters.Select(p =>
                $"| `{f.Name}` | `{p.Name}` | {string.Join(", ", p.Values.Select(v => $"`{p.Text(v)}`"))} | {p.DefaultText} | {p.Summary} |"))),
            rows.Where(row => row.Split(" | ").Length != 4));
        Assert.Equal(FormatFamilies.All.Select(f => f.Name), rows.Where(row => row.Split(" | ").Length == 4).Select(row => row.Split('`')[1]));
        string presets = Section("build/docs/formats.md", "## Presets");
        Assert.All(FormatFamilies.Presets, preset => Assert.Equal(
            preset.Value.Select(text => FormatId.Parse(text).Text),
            Regex.Matches(Regex.Match(presets, $"`{preset.Key}`[^`]* is (.*?)\\.(?: |\n|$)").Groups[1].Value, "`([^`]+)`").Select(match => FormatId.Parse(match.Groups[1].Value).Text)));
    }

    [Fact]
    public void The_schema_explains_each_parameter_in_the_same_words()
    {
        JsonNode families = JsonNode.Parse(File.ReadAllText(RepositoryRoot.Path("build/policy.schema.json")))!["definitions"]!["formatAsSection"]!["properties"]!;
        Assert.All(FormatFamilies.All.Where(f => f.Parameters.Count > 0), f =>
        {
            Assert.Equal(f.Summary, families[f.Name]!["description"]!.GetValue<string>());
            Assert.All(f.Parameters, p => Assert.Equal($"{p.Summary}. Default: {p.DefaultText}.", families[f.Name]!["properties"]![p.Name]!["description"]!.GetValue<string>()));
        });
    }

    [Fact]
    public void No_other_source_of_the_engine_writes_their_names()
    {
        string[] others = [.. Directory.EnumerateFiles(RepositoryRoot.Path("src/MixedPrecision"), "*.cs", SearchOption.AllDirectories)
            .Where(f => Path.GetFileName(f) != "FormatFamilies.cs" && !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .Where(f => File.ReadAllText(f) is var text && FormatFamilies.All.Any(family => text.Contains($"Get(\"{family.Name}", StringComparison.Ordinal) || text.Contains($"Parse(\"{family.Name}", StringComparison.Ordinal)))];
        Assert.Empty(others);
    }

    private static string Pattern => PolicyKeys.Root.Shape.Keys.Single(key => key.Name == "formats").Value.Pattern!;

    private static IReadOnlyList<string> Read(string formats) => PolicyTests.Read($"model: m.onnx\n{formats}").Formats;

    /// <summary>From a line on to the next heading.</summary>
    private static string Section(string file, string start)
    {
        string text = File.ReadAllText(RepositoryRoot.Path(file)).ReplaceLineEndings("\n");
        text = text[text.IndexOf(start, StringComparison.Ordinal)..];
        int end = text.IndexOf("\n## ", 1, StringComparison.Ordinal);
        return end < 0 ? text : text[..end];
    }
}
