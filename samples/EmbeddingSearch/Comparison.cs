using System.Diagnostics;

namespace EmbeddingSearch;

/// <summary>One model in numbers.</summary>
/// <param name="QueryMilliseconds">For the vector of one question, median.</param>
/// <param name="DocumentsMilliseconds">For the vectors of all documents.</param>
/// <param name="Bytes">Of the model's file.</param>
/// <param name="First">Of the names of types and members, the share that finds its own description first.</param>
/// <param name="FirstTen">The share that finds it among the first ten.</param>
public sealed record Measured(double QueryMilliseconds, double DocumentsMilliseconds, long Bytes, double First, double FirstTen);

/// <summary>The original and the emitted model, before and after.</summary>
/// <param name="Documents">How many are searched.</param>
public sealed record Comparison(int Documents, Measured Original, Measured Mixed)
{
    private const int Questions = 400, Rounds = 3;

    /// <summary>Measures both. They take turns, so that whatever slows the machine down slows both down.</summary>
    public static Comparison Of(SearchIndex original, SearchIndex mixed)
    {
        SearchIndex[] both = [original, mixed];
        string[] queries = [.. original.Documents.Select(document => document.Query)], texts = [.. original.Documents.Select(document => document.Text)];
        var times = both.ToDictionary(index => index, _ => (One: new List<double>(), All: new List<double>()));
        foreach (string query in queries.Take(Questions))
        {
            foreach (SearchIndex index in both)
            {
                times[index].One.Add(index.Search(query, 10).EncodeMilliseconds);
            }
        }
        for (int round = 0; round < Rounds; round++)
        {
            foreach (SearchIndex index in both)
            {
                long start = Stopwatch.GetTimestamp();
                index.Encoder.EncodeAll(texts);
                times[index].All.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
        }

        Measured Of(SearchIndex index)
        {
            int[] nearer = [.. index.Encoder.EncodeAll(queries).Select((vector, own) => index.NearerThan(own, vector))];
            double Share(int limit) => nearer.Count(count => count < limit) / (double)nearer.Length;
            return new Measured(Median(times[index].One), Median(times[index].All), index.Encoder.Bytes, Share(1), Share(10));
        }
        return new Comparison(texts.Length, Of(original), Of(mixed));
    }

    public override string ToString() => $"""
        {Documents} entries of .NET's documentation, encoded and asked for by their names:

                         a question  all entries        size  found first  in first ten
        {Row("original", Original)}
        {Row("mixed precision", Mixed)}

        """;

    private static string Row(string name, Measured model) =>
        $"{name,-15}{model.QueryMilliseconds,9:0.000} ms{model.DocumentsMilliseconds,10:0} ms{model.Bytes / 1e6,9:0.00} MB{100 * model.First,11:0.0} %{100 * model.FirstTen,12:0.0} %";

    private static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);
}
