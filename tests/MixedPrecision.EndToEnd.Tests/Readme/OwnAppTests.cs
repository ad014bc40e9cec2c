using System.Text.Json;
using MixedPrecision.EndToEnd.Tests.Packages;

namespace MixedPrecision.EndToEnd.Tests.Readme;

/// <summary>What the README says to do in one's own app, done with its snippets, the packed package and the tool that it restores.</summary>
[Collection(nameof(RepositoryBuilds))]
public sealed class OwnAppTests(PackedFixture packed)
{
    private static readonly Markdown Readme = Markdown.Read("README.md");

    [Fact]
    public void Its_snippets_publish_a_model_that_is_faster_and_say_so()
    {
        Assert.True(packed.Published.ExitCode == 0, packed.Published.All);
        Assert.Matches("App -> out/\n      " + Readme.ResultPattern(), packed.Published.Output);
        Assert.InRange(new FileInfo(Path.Combine(packed.App, "out", "model.mixed.onnx")).Length, 1_000_000, new FileInfo(Path.Combine(packed.App, "model.onnx")).Length - 1);
        using JsonDocument manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(packed.App, "out", "model.mixed.precision.json")));
        Assert.Equal("model.mixed.onnx", manifest.RootElement.GetProperty("output").GetProperty("file").GetString());
    }

    /// <summary>What the README shows of the data is a line of it: the names are the model's, and the ranks those of the sample's lines.</summary>
    [Fact]
    public void Its_line_of_data_is_like_those_of_the_sample()
    {
        using JsonDocument shown = JsonDocument.Parse(Readme.Blocks("json").Single()), sample = JsonDocument.Parse(File.ReadLines(Repository.Path("samples/DocArea/calibration.jsonl")).First());
        Assert.Equal(Ranks(sample), Ranks(shown));
    }

    // The sample's lines say besides which text they are from.
    private static string[] Ranks(JsonDocument line) => [.. line.RootElement.EnumerateObject().Where(field => field.Name != "text").Select(field => $"{field.Name} {Rank(field.Value)}")];

    private static int Rank(JsonElement value) => value.ValueKind == JsonValueKind.Array ? 1 + Rank(value[0]) : 0;
}
