// Ranks entries of .NET's documentation for what a person asks, by a quantized encoder, with a page to try it.
using System.Globalization;
using System.Text.Json;
using EmbeddingSearch;

const int LongestQuery = 400, MostResults = 50;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
WebApplicationBuilder builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.Logging.SetMinimumLevel(LogLevel.Warning);
WebApplication app = builder.Build();

Document[] documents = [.. File.ReadLines(InFolder("documents.jsonl")).Select(line => JsonSerializer.Deserialize<Document>(line, JsonSerializerOptions.Web)!)];
using var original = new SearchIndex(new Encoder(InFolder("model.onnx")), documents);
using var mixed = new SearchIndex(new Encoder(InFolder("model.mixed.onnx")), documents);
Comparison comparison = Comparison.Of(original, mixed);
Console.WriteLine(comparison);

byte[] page = ReadPage();
app.MapGet("/", () => Results.Bytes(page, "text/html; charset=utf-8"));
app.MapGet("/api/comparison", () => comparison);
app.MapGet("/api/search", (string? q, string? model, int? count) => (q, model ?? "mixed", count ?? 10) switch
{
    (null, _, _) => Results.BadRequest("q, the question, is missing"),
    ({ Length: > LongestQuery }, _, _) => Results.BadRequest($"q has at most {LongestQuery} characters"),
    (_, not ("mixed" or "original"), _) => Results.BadRequest("model is 'mixed' or 'original'"),
    (_, _, < 1 or > MostResults) => Results.BadRequest($"count is from 1 to {MostResults}"),
    (string asked, string named, int results) => Results.Ok((named == "mixed" ? mixed : original).Search(asked, results)),
});

await app.StartAsync();
Console.WriteLine($"Open {string.Join(" or ", app.Urls)} in a browser.");
await app.WaitForShutdownAsync();

static string InFolder(string name) => Path.Combine(AppContext.BaseDirectory, name);

static byte[] ReadPage()
{
    using Stream stream = typeof(SearchIndex).Assembly.GetManifestResourceStream("page.html")!;
    var bytes = new byte[stream.Length];
    stream.ReadExactly(bytes);
    return bytes;
}
