using System.Diagnostics;
using Google.Protobuf;
using MixedPrecision.Autodiff;
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

    private const int Batch = 64, StatisticBatches = 32, Calibration = 128, Evaluation = 1000;

    private const double Rate = 3e-3;

    /// <summary>Seeds of pictures: those of training, calibration and evaluation differ.</summary>
    private const int TrainingSeed = 100_000_000, CalibrationSeed = 1, EvaluationSeed = 50_000_000;

    /// <param name="folder">Takes a folder with model and data; while it is trained, the state.</param>
    /// <param name="seconds">After so many it breaks off, to go on when it is called again.</param>
    /// <returns>2 when it broke off.</returns>
    public static int Run(string folder, double seconds)
    {
        folder = Path.Combine(folder, ConvolutionCases.Characters);
        Directory.CreateDirectory(folder);
        string kept = Path.Combine(folder, "training.state");
        TrainingState state = TrainingState.Read(kept) ?? TrainingState.Begin(seed: 1);
        bool isDone = Train(state, kept, seconds);
        Console.WriteLine($"{state.Step} of {Steps} steps of {Batch} pictures");
        if (!isDone)
        {
            return 2;
        }

        ModelProto model = CharacterNetwork.ForUse(Values(state));
        SampleFiles.WriteArchive(Fresh("calibration.npz"), Samples(CalibrationSeed, Calibration));
        IReadOnlyList<IReadOnlyDictionary<string, Tensor>> evaluation = Samples(EvaluationSeed, Evaluation);
        SampleFiles.WriteArchive(Fresh("evaluation.npz"), evaluation);
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

    private static bool Train(TrainingState state, string kept, double seconds)
    {
        const int Told = 25;
        long start = Stopwatch.GetTimestamp();
        using var training = new OnnxModel(CharacterNetwork.ForTraining(Batch), "", "training.onnx");
        string[] names = [.. CharacterNetwork.Parameters.Select(p => p.Name)], gradients = [.. names.Select(n => n + ".grad")];
        using Session session = Session.Create(GradientModel.Build(training, CharacterNetwork.Loss, names), SessionSettings.Default);
        var adam = new Adam(Steps, Rate);
        double sum = 0;
        while (state.Step < Steps && Stopwatch.GetElapsedTime(start).TotalSeconds < seconds)
        {
            IReadOnlyDictionary<string, Tensor> results = session.Run(Inputs(state, TrainingSeed + (state.Step * Batch)), [CharacterNetwork.Loss, .. gradients]);
            Parallel.For(0, names.Length, i =>
            {
                byte[][] arrays = state.Arrays[i];
                adam.Change(
                    state.Step, TrainingState.Floats(arrays[0]), TrainingState.Floats(arrays[1]), TrainingState.Floats(arrays[2]), results[gradients[i]].Values<float>(), CharacterNetwork.Parameters[i].Deviation > 0);
            });
            state.Step++;
            sum += results[CharacterNetwork.Loss].Values<float>()[0];
            if (state.Step % Told == 0)
            {
                Console.WriteLine($"step {state.Step}: loss {sum / Told:0.000}, {Stopwatch.GetElapsedTime(start).TotalSeconds:0} s");
                sum = 0;
            }
        }

        state.Write(kept);
        return state.Step == Steps;
    }

    /// <summary>Parameters, and the statistics of the channels with them over pictures of training.</summary>
    private static Dictionary<string, float[]> Values(TrainingState state)
    {
        Dictionary<string, float[]> values = CharacterNetwork.Parameters.Zip(state.Arrays).ToDictionary(p => p.First.Name, p => TrainingState.Floats(p.Second[0]).ToArray());
        using Session session = Session.Create(CharacterNetwork.ForTraining(Batch), SessionSettings.Default);
        for (int batch = 0; batch < StatisticBatches; batch++)
        {
            foreach ((string name, Tensor value) in session.Run(Inputs(state, TrainingSeed + (batch * Batch)), CharacterNetwork.Statistics))
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

    private static Dictionary<string, Tensor> Inputs(TrainingState state, int seed)
    {
        (Tensor pictures, Tensor labels) = Draw(seed, Batch);
        var inputs = new Dictionary<string, Tensor> { [CharacterNetwork.Image] = pictures, [CharacterNetwork.Label] = labels };
        foreach ((Parameter parameter, byte[][] arrays) in CharacterNetwork.Parameters.Zip(state.Arrays))
        {
            inputs.Add(parameter.Name, new Tensor(ElementType.Float, parameter.Shape, arrays[0]));
        }

        return inputs;
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
