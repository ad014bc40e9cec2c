using System.Text.Json;
using Google.Protobuf;
using MixedPrecision.Benchmarks.Targets;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Training;

/// <summary>
/// Trains a classifier of characters on pictures that are drawn as it goes, with the gradient graph of this engine and ONNX Runtime, so that there is a dense convolutional model with labels, accuracy and a real loss. Seeded in all; it can be broken off and goes on where it was.
/// </summary>
internal static class TrainBenchmark
{
    public const int Steps = 1200;

    private const int Batch = 64, StatisticBatches = 32, Calibration = 128, Evaluation = 1000, EvaluationPictures = 500;

    private const double Rate = 3e-3;

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, IndentSize = 1, NewLine = "\n" };

    /// <param name="folder">Takes a folder with model and data, some of these as pictures too; while it is trained, the state.</param>
    /// <param name="seconds">After so many it breaks off, to go on when it is called again.</param>
    /// <returns>2 when it broke off.</returns>
    public static int Run(string folder, double seconds)
    {
        folder = Path.Combine(folder, ConvolutionCases.Characters);
        Directory.CreateDirectory(folder);
        var trainer = new Trainer(CharacterNetwork.ForTraining(Batch), CharacterNetwork.Loss, Steps, Rate, step => Inputs(CharacterPictures.TrainingSeed + (step * Batch)));
        if (trainer.Run(CharacterNetwork.Parameters, Path.Combine(folder, "training.state"), seconds) is not TrainingState state)
        {
            return 2;
        }

        ModelProto model = CharacterNetwork.ForUse(Values(state));
        SampleFiles.WriteArchive(Fresh("calibration.npz"), Samples(CharacterPictures.CalibrationSeed, Calibration));
        IReadOnlyList<IReadOnlyDictionary<string, Tensor>> evaluation = Samples(CharacterPictures.EvaluationSeed, Evaluation);
        SampleFiles.WriteArchive(Fresh("evaluation.npz"), evaluation);
        WritePictures(Path.Combine(folder, "pictures"), ("calibration", CharacterPictures.CalibrationSeed, Calibration), ("evaluation", CharacterPictures.EvaluationSeed, EvaluationPictures));
        Print(model, evaluation);
        using FileStream file = File.Create(Path.Combine(folder, "model.onnx"));
        model.WriteTo(file);
        return 0;

        string Fresh(string name)
        {
            string path = Path.Combine(folder, name);
            File.Delete(path);
            return path;
        }
    }

    /// <summary>Parameters, and the statistics of the channels with them over pictures of training.</summary>
    private static Dictionary<string, float[]> Values(TrainingState state)
    {
        Dictionary<string, float[]> values = state.Values;
        using Session session = Session.Create(CharacterNetwork.ForTraining(Batch), SessionSettings.Default);
        for (int batch = 0; batch < StatisticBatches; batch++)
        {
            foreach ((string name, Tensor value) in session.Run(Trainer.With(Inputs(CharacterPictures.TrainingSeed + (batch * Batch)), state), CharacterNetwork.Statistics))
            {
                float[] mean = values.TryGetValue(name, out float[]? known) ? known : values[name] = new float[value.Count];
                for (int i = 0; i < mean.Length; i++)
                {
                    mean[i] += value.Values<float>()[i] / StatisticBatches;
                }
            }
        }

        return values;
    }

    private static Dictionary<string, Tensor> Inputs(int seed)
    {
        (Tensor pictures, Tensor labels) = Draw(seed, Batch);
        return new() { [CharacterNetwork.Image] = pictures, [CharacterNetwork.Label] = labels };
    }

    /// <summary>Writes pictures as files of 8 bits, a folder for each set, and beside the folders what they show.</summary>
    private static void WritePictures(string folder, params (string Name, int Seed, int Count)[] sets)
    {
        var labels = new Dictionary<string, string>();
        var picture = new float[CharacterPictures.Size * CharacterPictures.Size];
        foreach ((string name, int seed, int count) in sets)
        {
            Directory.CreateDirectory(Path.Combine(folder, name));
            for (int i = 0; i < count; i++)
            {
                string file = $"{name}/{i:000}.png";
                labels[file] = Glyphs.Characters[CharacterPictures.Draw(seed + i, picture)].ToString();
                GreyPng.Write(Path.Combine(folder, file), CharacterPictures.Size, [.. picture.Select(p => (byte)Math.Clamp(MathF.Round(255 * p), 0, 255))]);
            }
        }

        var all = new { classes = Glyphs.Characters.Select(c => c.ToString()), labels };
        File.WriteAllText(Path.Combine(folder, "labels.json"), JsonSerializer.Serialize(all, Indented) + "\n");
    }

    /// <summary>Pictures [count, 1, 32, 32] and labels [count].</summary>
    private static (Tensor Pictures, Tensor Labels) Draw(int seed, int count)
    {
        const int Pixels = CharacterPictures.Size * CharacterPictures.Size;
        var pictures = new float[count * Pixels];
        var labels = new long[count];
        Parallel.For(0, count, i => labels[i] = CharacterPictures.Draw(seed + i, pictures.AsSpan(i * Pixels, Pixels)));
        return (Tensor.Of<float>(pictures, count, 1, CharacterPictures.Size, CharacterPictures.Size), Tensor.Of<long>(labels, count));
    }

    private static IReadOnlyDictionary<string, Tensor>[] Samples(int seed, int count) => [.. Enumerable.Range(seed, count).Select(s =>
    {
        (Tensor picture, Tensor label) = Draw(s, 1);
        return new Dictionary<string, Tensor> { [CharacterNetwork.Image] = picture, [CharacterNetwork.Label] = label };
    })];

    private static void Print(ModelProto model, IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples)
    {
        using Session session = Session.Create(model, SessionSettings.Default);
        int right = 0;
        double loss = 0;
        foreach (IReadOnlyDictionary<string, Tensor> sample in samples)
        {
            float[] scores = session.Run(sample)[CharacterNetwork.Scores].Values<float>().ToArray();
            long label = sample[CharacterNetwork.Label].Values<long>()[0];
            right += Array.IndexOf(scores, scores.Max()) == label ? 1 : 0;
            loss += Math.Log(scores.Sum(s => Math.Exp(s - scores[label])));
        }

        Console.WriteLine($"{model.CalculateSize()} bytes, {right} of {samples.Count} right, mean cross-entropy {loss / samples.Count:0.0000}");
    }
}
