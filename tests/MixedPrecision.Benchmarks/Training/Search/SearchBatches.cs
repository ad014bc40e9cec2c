using DocArea;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Training.Search;

/// <summary>Pairs of queries and descriptions, a batch for each step, as its number and nothing else decides; within a batch none occurs twice.</summary>
internal sealed class SearchBatches(IReadOnlyList<ApiEntry> entries, int batch)
{
    /// <summary>So many batches share their pairs by length: what fills short texts up costs time.</summary>
    private const int Group = 8;

    /// <summary>One query in so many is some words of the description in place of the name, since people ask in words too.</summary>
    private const int AsksInWords = 3;

    private readonly (long[] Name, long[] Text)[] pairs = [.. entries.Select(e => (Tokenizer.Encode(e.Query), Tokenizer.Encode(e.Text)))];
    private ((int Epoch, int Group) Of, (long[] Name, long[] Text)[][] Batches) last = ((-1, -1), []);

    /// <summary>Inputs of the model for training.</summary>
    public Dictionary<string, Tensor> Of(int step)
    {
        (int number, int place) = Math.DivRem(step, Group);
        (int epoch, int group) = Math.DivRem(number, pairs.Length / (Group * batch));
        if (last.Of != (epoch, group))
        {
            last = ((epoch, group), Batches(epoch, group));
        }

        var random = new Random(step);
        (long[] Name, long[] Text)[] own = last.Batches[place];
        var inputs = new Dictionary<string, Tensor>();
        Add(inputs, EncoderNetwork.Query, [.. own.Select(p => random.Next(AsksInWords) == 0 ? Words(random, p.Text) : p.Name)]);
        Add(inputs, EncoderNetwork.Document, [.. own.Select(p => p.Text)]);
        return inputs;
    }

    private (long[] Name, long[] Text)[][] Batches(int epoch, int group)
    {
        (long[] Name, long[] Text)[] order = [.. pairs];
        var random = new Random(epoch);
        random.Shuffle(order);
        (long[] Name, long[] Text)[][] batches = [.. order.Skip(group * Group * batch).Take(Group * batch).OrderBy(p => p.Text.Length).Chunk(batch)];
        random.Shuffle(batches);
        return batches;
    }

    /// <summary>Two to six words of a text, in their order.</summary>
    private static long[] Words(Random random, long[] text)
    {
        int[] places = [.. Enumerable.Range(0, text.Length)];
        random.Shuffle(places);
        return [.. places.Take(random.Next(2, 7)).Order().Select(p => text[p])];
    }

    /// <summary>Texts of equal length: what is missing is 0, in the mask too.</summary>
    private static void Add(Dictionary<string, Tensor> inputs, string side, long[][] texts)
    {
        int longest = texts.Max(t => t.Length);
        Tensor Filled(Func<long, long> value) => Tensor.Of<long>([.. texts.SelectMany(t => t.Select(value).Concat(Enumerable.Repeat(0L, longest - t.Length)))], texts.Length, longest);
        inputs.Add(side + EncoderNetwork.Tokens, Filled(token => token));
        inputs.Add(side + EncoderNetwork.Mask, Filled(_ => 1));
    }
}
