using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>Samples for the models that are made here, drawn from seeds; those for calibration and those for evaluation differ.</summary>
internal static class TargetData
{
    /// <summary>Tokens that one scenario of the decoder reads at once, and that the other has in its cache.</summary>
    public const int Prompt = 128, Cached = 256;

    private const int Calibration = 12, Evaluation = 8;

    private const string CalibrationName = "calibration", EvaluationName = "evaluation";

    /// <summary>Sentences of token numbers, of different lengths as they come.</summary>
    public static void Sentences(string folder) => WriteLines(folder, random =>
    {
        int length = random.Next(32, 129);
        return new Dictionary<string, long[]>
        {
            ["input_ids"] = [.. Enumerable.Range(0, length).Select(_ => random.NextInt64(30522))],
            ["attention_mask"] = [.. Enumerable.Repeat(1L, length)],
            ["token_type_ids"] = new long[length],
        };
    });

    /// <summary>Images: patches of one colour each, and noise.</summary>
    public static void Images(string folder) => WriteArchives(folder, random => new Dictionary<string, Tensor>
    {
        ["pixel_values"] = Mosaic(random, 3, 224, 224, 14, 14),
    });

    /// <summary>The same in the size of aligned faces.</summary>
    public static void Faces(string folder) => WriteArchives(folder, random => new Dictionary<string, Tensor>
    {
        ["pixel_values"] = Mosaic(random, 3, 112, 112, 14, 14),
    });

    /// <summary>Spectrograms: stretches of one loudness each, and noise.</summary>
    public static void Speech(string folder) => WriteArchives(folder, random => new Dictionary<string, Tensor>
    {
        ["input_features"] = new Tensor(ElementType.Float, [1, 80, 3000], Mosaic(random, 1, 80, 3000, 8, 20).Bytes),
    });

    /// <summary>
    /// Prompts of token numbers with nothing in the cache, as lines; and as archives one token each, with the keys and values that the model itself keeps of the tokens before.
    /// </summary>
    public static void Generation(string folder)
    {
        WriteLines(folder, random => Tokens(random, Prompt));
        using Session session = Session.Open(Path.Combine(folder, "model.onnx"), SessionSettings.Default);
        WriteArchives(folder, random =>
        {
            Dictionary<string, Tensor> inputs = Tokens(random, Cached).ToDictionary(t => t.Key, t => Row(t.Value));
            foreach (string cache in session.Inputs.Where(i => i.StartsWith("past", StringComparison.Ordinal)))
            {
                inputs[cache] = Tensor.Of<float>([], 1, CachedDecoder.KeyHeads, 0, CachedDecoder.HeadSize);
            }

            string[] kept = [.. session.Outputs.Where(o => o.StartsWith("present", StringComparison.Ordinal))];
            var step = new Dictionary<string, Tensor>
            {
                ["input_ids"] = Row([random.NextInt64(CachedDecoder.Vocabulary)]),
                ["attention_mask"] = Row([.. Enumerable.Repeat(1L, Cached + 1)]),
                ["position_ids"] = Row([Cached]),
            };
            foreach ((string name, Tensor value) in session.Run(inputs, kept))
            {
                step[name.Replace("present", "past_key_values", StringComparison.Ordinal)] = value;
            }

            return step;
        });
    }

    private static Dictionary<string, long[]> Tokens(Random random, int count) => new()
    {
        ["input_ids"] = [.. Enumerable.Range(0, count).Select(_ => random.NextInt64(CachedDecoder.Vocabulary))],
        ["attention_mask"] = [.. Enumerable.Repeat(1L, count)],
        ["position_ids"] = [.. Enumerable.Range(0, count).Select(p => (long)p)],
    };

    private static Tensor Row(long[] values) => Tensor.Of<long>(values, 1, values.Length);

    /// <summary>[1, channels, height, width]: a normal value for each rectangle of rows and columns, and noise of a third of it.</summary>
    private static Tensor Mosaic(Random random, int channels, int height, int width, int rows, int columns)
    {
        double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        var values = new float[channels * height * width];
        for (int channel = 0; channel < channels; channel++)
        {
            double[] levels = [.. Enumerable.Range(0, (height / rows + 1) * (width / columns + 1)).Select(_ => Normal())];
            for (int i = 0; i < height * width; i++)
            {
                int row = i / width / rows, column = i % width / columns;
                values[(channel * height * width) + i] = (float)(levels[(row * (width / columns + 1)) + column] + (Normal() / 3));
            }
        }

        return Tensor.Of<float>(values, 1, channels, height, width);
    }

    private static void WriteLines(string folder, Func<Random, IReadOnlyDictionary<string, long[]>> draw)
    {
        foreach ((string name, int count, Random random) in Sets())
        {
            SampleFiles.WriteLines(Path.Combine(folder, name + ".jsonl"), Enumerable.Range(0, count).Select(_ => draw(random)));
        }
    }

    private static void WriteArchives(string folder, Func<Random, IReadOnlyDictionary<string, Tensor>> draw)
    {
        foreach ((string name, int count, Random random) in Sets())
        {
            SampleFiles.WriteArchive(Path.Combine(folder, name + ".npz"), [.. Enumerable.Range(0, count).Select(_ => draw(random))]);
        }
    }

    private static (string Name, int Count, Random Random)[] Sets() => [(CalibrationName, Calibration, new Random(1)), (EvaluationName, Evaluation, new Random(2))];
}
