using System.Text.Encodings.Web;
using System.Text.Json;
using DocArea;
using Google.Protobuf;
using MixedPrecision.Benchmarks.Targets;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Training.Search;

/// <summary>
/// Trains the encoder of samples/EmbeddingSearch: the name of a type or member of .NET, or some words of its description, is to find that description. Types that are held out, with their members, are what the sample searches in, so that nothing that is searched was seen in training. Seeded in all.
/// </summary>
internal static class SearchTraining
{
    private const int Steps = 1200, Batch = 128, Calibration = 256, Evaluation = 500, HeldOutOf = 16;

    private const double Rate = 1.5e-3;

    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <param name="folder">Takes a folder with model, data and documents; while it is trained, the state.</param>
    /// <param name="seconds">After so many it breaks off, to go on when it is called again.</param>
    /// <returns>2 when it broke off.</returns>
    public static int Run(string folder, double seconds)
    {
        folder = Path.Combine(folder, "search");
        Directory.CreateDirectory(folder);
        ILookup<bool, ApiEntry> entries = ApiEntry.ReadAll().Where(e => Tokenizer.Encode(e.Query).Length > 0 && Tokenizer.Encode(e.Text).Length > 2).ToLookup(e => Number(e.Type) % HeldOutOf == 0);
        ApiEntry[] heldOut = [.. entries[true]], seen = [.. entries[false]];
        Console.WriteLine($"{seen.Length} entries to train with, {heldOut.Length} held out");
        var batches = new SearchBatches(seen, Batch);
        var trainer = new Trainer(EncoderNetwork.ForTraining(Batch), EncoderNetwork.Loss, Steps, Rate, batches.Of);
        if (trainer.Run(EncoderNetwork.Parameters, Path.Combine(folder, "training.state"), seconds) is not TrainingState state)
        {
            return 2;
        }

        ModelProto model = EncoderNetwork.ForUse(state.Values);
        using (FileStream file = File.Create(Path.Combine(folder, "model.onnx")))
        {
            model.WriteTo(file);
        }

        // Half of the samples are queries, half documents: the app encodes both.
        File.WriteAllLines(Path.Combine(folder, "documents.jsonl"), heldOut.Select(e => JsonSerializer.Serialize(new { name = e.Name, query = e.Query, text = e.Text }, Readable)));
        SampleFiles.WriteLines(Path.Combine(folder, "calibration.jsonl"), Samples(seen, Calibration));
        SampleFiles.WriteLines(Path.Combine(folder, "evaluation.jsonl"), Samples(heldOut, Evaluation));
        (double first, double firstTen) = Ranking.Of(model, heldOut);
        Console.WriteLine($"{model.CalculateSize()} bytes; of {heldOut.Length} names, {first:0.0%} find their own description first, {firstTen:0.0%} among the first ten");
        return 0;
    }

    private static IEnumerable<IReadOnlyDictionary<string, long[]>> Samples(ApiEntry[] entries, int count)
    {
        ApiEntry[] drawn = [.. entries.OrderBy(e => Number(e.Name)).Take(count)];
        return drawn.Select((e, i) => Tokenizer.Encode(i % 2 == 0 ? e.Query : e.Text)).Select(tokens => new Dictionary<string, long[]> { [EncoderNetwork.Tokens] = tokens, [EncoderNetwork.Mask] = [.. tokens.Select(_ => 1L)] });
    }

    /// <summary>A number that follows from a text (FNV-1a).</summary>
    private static uint Number(string text)
    {
        uint hash = 2166136261;
        foreach (char character in text)
        {
            hash = (hash ^ character) * 16777619;
        }

        return hash ^ (hash >> 15);
    }
}
