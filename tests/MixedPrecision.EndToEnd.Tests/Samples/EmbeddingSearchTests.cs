using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace MixedPrecision.EndToEnd.Tests.Samples;

public sealed class EmbeddingSearchTests(SearchApp app) : IClassFixture<SearchApp>
{
    [Theory]
    [InlineData("mixed")]
    [InlineData("original")]
    public async ValueTask The_best_result_answers_the_question(string model)
    {
        JsonElement[] documents = [.. File.ReadLines(Repository.Path("samples/EmbeddingSearch/documents.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];
        JsonElement asked = documents[documents.Length / 2];

        JsonElement answer = await Get($"/api/search?model={model}&count=5&q={Uri.EscapeDataString(asked.GetProperty("text").GetString()!)}");

        JsonElement[] results = [.. answer.GetProperty("results").EnumerateArray()];
        double[] scores = [.. results.Select(result => result.GetProperty("score").GetDouble())];
        Assert.Equal(5, results.Length);
        Assert.Equal(asked.GetProperty("name").GetString(), results[0].GetProperty("entry").GetProperty("name").GetString());
        Assert.Equal(1, scores[0], 0.01);
        Assert.Equal(scores.OrderDescending(), scores);
        Assert.Equal(documents.Length, answer.GetProperty("documents").GetInt32());
        Assert.True(answer.GetProperty("encodeMilliseconds").GetDouble() > 0);
    }

    [Fact]
    public async ValueTask Before_and_after_stand_side_by_side()
    {
        JsonElement comparison = await Get("/api/comparison"), original = comparison.GetProperty("original"), mixed = comparison.GetProperty("mixed");

        Assert.Equal(new FileInfo(Repository.Path("samples/EmbeddingSearch/model.onnx")).Length, original.GetProperty("bytes").GetInt64());
        Assert.True(mixed.GetProperty("bytes").GetInt64() < 0.8 * original.GetProperty("bytes").GetInt64(), comparison.ToString());
        foreach (string share in new[] { "first", "firstTen" })
        {
            Assert.InRange(original.GetProperty(share).GetDouble(), 0.3, 1);
            Assert.Equal(original.GetProperty(share).GetDouble(), mixed.GetProperty(share).GetDouble(), 0.02);
        }

        Assert.Contains("mixed precision", app.Log);
    }

    [Fact]
    public async ValueTask The_page_needs_nothing_from_elsewhere()
    {
        HttpResponseMessage response = await app.Client.GetAsync("/");
        string page = await response.Content.ReadAsStringAsync();

        Assert.Equal("text/html", response.Content.Headers.ContentType!.MediaType);
        Assert.Contains("/api/search", page);
        Assert.DoesNotContain("https:", page);
        Assert.DoesNotContain(" src=", page);
    }

    [Theory]
    [InlineData("/api/search", "missing")]
    [InlineData("/api/search?q=stream&model=best", "'mixed' or 'original'")]
    [InlineData("/api/search?q=stream&count=0", "from 1 to 50")]
    public async ValueTask A_question_that_cannot_be_answered_is_told_why(string address, string reason)
    {
        HttpResponseMessage response = await app.Client.GetAsync(address);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains(reason, await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async ValueTask A_long_question_is_refused_and_one_without_words_finds_nothing()
    {
        Assert.Equal(HttpStatusCode.BadRequest, (await app.Client.GetAsync("/api/search?q=" + new string('a', 401))).StatusCode);
        Assert.Empty((await Get("/api/search?q=%E2%80%A6")).GetProperty("results").EnumerateArray());
    }

    private async ValueTask<JsonElement> Get(string address) => await app.Client.GetFromJsonAsync<JsonElement>(address);
}
