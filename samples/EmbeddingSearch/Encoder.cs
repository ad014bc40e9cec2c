using DocArea;
using Microsoft.ML.OnnxRuntime;
using SessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace EmbeddingSearch;

/// <summary>Turns texts into vectors of length 1 whose products tell how near their meanings are.</summary>
/// <param name="modelFile">The original or the emitted model: the app runs them alike.</param>
public sealed class Encoder(string modelFile) : IDisposable
{
    /// <summary>Texts of a run, as in the policy's scenario.</summary>
    private const int BatchSize = 32;

    private readonly InferenceSession session = Open(modelFile);
    private readonly RunOptions runOptions = new();

    /// <summary>Bytes of the model's file.</summary>
    public long Bytes { get; } = new FileInfo(modelFile).Length;

    /// <summary>The vector of a text; null where it has no ASCII letter and no digit.</summary>
    public float[]? Encode(string text) => Tokenizer.Encode(text) is { Length: > 0 } tokens ? Run([tokens])[0] : null;

    /// <summary>The vectors of many texts, each with a word at least, in their order. Texts of like length share a run, so that little is filled up.</summary>
    public float[][] EncodeAll(IEnumerable<string> texts)
    {
        (int Place, long[] Tokens)[] all = [.. texts.Select((text, place) => (place, Tokenizer.Encode(text)))];
        var vectors = new float[all.Length][];
        foreach ((int Place, long[] Tokens)[] batch in all.OrderBy(text => text.Tokens.Length).Chunk(BatchSize))
        {
            foreach ((int Place, float[] Vector) in batch.Select(text => text.Place).Zip(Run([.. batch.Select(text => text.Tokens)])))
            {
                vectors[Place] = Vector;
            }
        }
        return vectors;
    }

    public void Dispose()
    {
        session.Dispose();
        runOptions.Dispose();
    }

    private static InferenceSession Open(string modelFile)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 2 };
        return new InferenceSession(modelFile, options);
    }

    private float[][] Run(long[][] texts)
    {
        int longest = texts.Max(text => text.Length);
        long[] shape = [texts.Length, longest], tokens = new long[texts.Length * longest], mask = new long[tokens.Length];
        foreach ((int row, long[] text) in texts.Index())
        {
            text.CopyTo(tokens, row * longest);
            Array.Fill(mask, 1, row * longest, text.Length);
        }

        using OrtValue inputIds = OrtValue.CreateTensorValueFromMemory(tokens, shape);
        using OrtValue attentionMask = OrtValue.CreateTensorValueFromMemory(mask, shape);
        var inputs = new Dictionary<string, OrtValue> { ["input_ids"] = inputIds, ["attention_mask"] = attentionMask };
        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(runOptions, inputs, ["embedding"]);
        ReadOnlySpan<float> vectors = outputs[0].GetTensorDataAsSpan<float>();
        return [.. vectors.ToArray().Chunk(vectors.Length / texts.Length)];
    }
}
