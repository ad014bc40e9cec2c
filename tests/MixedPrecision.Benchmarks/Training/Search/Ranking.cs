using System.Numerics.Tensors;
using DocArea;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;
using Tensor = MixedPrecision.Onnx.Tensor;

namespace MixedPrecision.Benchmarks.Training.Search;

/// <summary>How well an encoder finds the entry that a name belongs to.</summary>
internal static class Ranking
{
    /// <summary>Of queries, the shares whose own entry is the first, or among the first ten.</summary>
    public static (double First, double FirstTen) Of(ModelProto encoder, IReadOnlyList<ApiEntry> entries)
    {
        using Session session = Session.Create(encoder, SessionSettings.Default);
        float[][] documents = [.. entries.Select(e => Encode(session, e.Text))], queries = [.. entries.Select(e => Encode(session, e.Query))];
        int[] better = new int[entries.Count];
        Parallel.For(0, entries.Count, i =>
        {
            float own = TensorPrimitives.Dot<float>(queries[i], documents[i]);
            better[i] = documents.Count(d => TensorPrimitives.Dot<float>(queries[i], d) > own);
        });
        return (better.Count(b => b == 0) / (double)entries.Count, better.Count(b => b < 10) / (double)entries.Count);
    }

    private static float[] Encode(Session session, string text)
    {
        long[] tokens = Tokenizer.Encode(text);
        var inputs = new Dictionary<string, Tensor>
        {
            [EncoderNetwork.Tokens] = Tensor.Of<long>(tokens, 1, tokens.Length),
            [EncoderNetwork.Mask] = Tensor.Of<long>([.. tokens.Select(_ => 1L)], 1, tokens.Length),
        };
        return session.Run(inputs)[EncoderNetwork.Embedding].Values<float>().ToArray();
    }
}
