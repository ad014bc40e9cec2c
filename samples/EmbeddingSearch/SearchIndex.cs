using System.Diagnostics;
using System.Numerics.Tensors;

namespace EmbeddingSearch;

/// <summary>One result.</summary>
/// <param name="Entry">The document.</param>
/// <param name="Score">Cosine of the angle between question and description, at most 1.</param>
public sealed record Result(Document Entry, double Score);

/// <summary>What a question found.</summary>
/// <param name="EncodeMilliseconds">Time for the vector of the question: what mixed precision makes faster.</param>
/// <param name="RankMilliseconds">Time to compare it with all documents.</param>
public sealed record Answer(IReadOnlyList<Result> Results, int Documents, double EncodeMilliseconds, double RankMilliseconds);

/// <summary>Documents with the vectors that an encoder gives them.</summary>
public sealed class SearchIndex : IDisposable
{
    private readonly float[][] vectors;

    /// <summary>Encodes all documents.</summary>
    /// <param name="encoder">Owned from now on.</param>
    public SearchIndex(Encoder encoder, IReadOnlyList<Document> documents)
    {
        (Encoder, Documents) = (encoder, documents);
        vectors = encoder.EncodeAll(documents.Select(document => document.Text));
    }

    public Encoder Encoder { get; }

    public IReadOnlyList<Document> Documents { get; }

    /// <summary>The documents nearest to a question, none where it has no word.</summary>
    public Answer Search(string question, int count)
    {
        long start = Stopwatch.GetTimestamp();
        float[]? vector = Encoder.Encode(question);
        double encode = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        start = Stopwatch.GetTimestamp();
        IEnumerable<(int Place, float Score)> nearest = vector is null ? [] : Scores(vector).Select((score, place) => (place, score)).OrderByDescending(document => document.score).Take(count);
        Result[] results = [.. nearest.Select(document => new Result(Documents[document.Place], document.Score))];
        return new Answer(results, Documents.Count, encode, Stopwatch.GetElapsedTime(start).TotalMilliseconds);
    }

    /// <summary>How many documents are nearer to a vector than its own is: 0 where that is found first.</summary>
    public int NearerThan(int own, float[] vector)
    {
        float[] scores = Scores(vector);
        return scores.Count(score => score > scores[own]);
    }

    public void Dispose() => Encoder.Dispose();

    private float[] Scores(float[] vector) => [.. vectors.Select(document => TensorPrimitives.Dot<float>(document, vector))];
}
