using System.Text.Json;
using DocArea;

namespace MixedPrecision.EndToEnd.Tests.Samples;

public sealed class TokenizerTests
{
    [Theory]
    [InlineData("calibration.jsonl", 256)]
    [InlineData("evaluation.jsonl", 2000)]
    public void Tokens_are_those_that_the_model_was_trained_with(string file, int count)
    {
        int read = 0;
        foreach (string line in File.ReadLines(Repository.Path($"samples/DocArea/{file}")))
        {
            using JsonDocument sample = JsonDocument.Parse(line);
            long[] expected = [.. sample.RootElement.GetProperty("input_ids")[0].EnumerateArray().Select(id => id.GetInt64())];
            Assert.Equal(expected, Tokenizer.Encode(sample.RootElement.GetProperty("text").GetString()!));
            read++;
        }
        Assert.Equal(count, read);
    }

    [Theory]
    [InlineData("ReadOnlySpan", "read only span")]
    [InlineData("XMLReader", "xmlreader")]
    [InlineData("aB1C", "a b1c")]
    [InlineData("naïve café", "na ve caf")]
    [InlineData("5\u212A, x\u0130y", "5k xi y")]
    public void Camel_case_splits_and_other_letters_separate(string text, string words) =>
        Assert.Equal(Tokenizer.Encode(words), Tokenizer.Encode(text));

    [Fact]
    public void At_most_48_tokens() => Assert.Equal(48, Tokenizer.Encode(string.Join(' ', Enumerable.Range(0, 100))).Length);

    [Fact]
    public void No_words_no_tokens() => Assert.Empty(Tokenizer.Encode("— … 模型"));
}
