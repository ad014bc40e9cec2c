using System.Text.Json;
using MixedPrecision.Autodiff;
using MixedPrecision.Benchmarks.Training;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>The network that the benchmarks train on pictures of characters, with the gradient graph of this engine.</summary>
public sealed class TrainingTests
{
    private const int Batch = 8, Pixels = CharacterPictures.Size * CharacterPictures.Size;

    [Fact]
    public void TheModelForUseComputesWhatTheModelForTrainingDoes()
    {
        Dictionary<string, Tensor> inputs = Inputs(out long[] labels);
        using Session training = Session.Create(CharacterNetwork.ForTraining(Batch), SessionSettings.Default);
        IReadOnlyDictionary<string, Tensor> results = training.Run(inputs);
        Dictionary<string, float[]> values = CharacterNetwork.Parameters.Select(p => p.Name).Select(n => (n, inputs[n]))
            .Concat(CharacterNetwork.Statistics.Select(n => (n, results[n]))).ToDictionary(v => v.n, v => v.Item2.Values<float>().ToArray());

        using Session use = Session.Create(CharacterNetwork.ForUse(values), SessionSettings.Default);
        float[] scores = use.Run(inputs)[CharacterNetwork.Scores].Values<float>().ToArray();
        double loss = labels.Select((label, i) => scores.AsSpan(i * Glyphs.Characters.Length, Glyphs.Characters.Length).ToArray() is var row ? Math.Log(row.Sum(s => Math.Exp(s - row[label]))) : 0).Average();
        Assert.Equal(results[CharacterNetwork.Loss].Values<float>()[0], loss, 1e-3);
    }

    [Fact]
    public void StepsOnOneBatchLowerItsLoss()
    {
        const int Steps = 6;
        Dictionary<string, Tensor> inputs = Inputs(out _);
        TrainingState state = TrainingState.Begin(CharacterNetwork.Parameters, seed: 1);
        string[] names = [.. CharacterNetwork.Parameters.Select(p => p.Name)];
        using var training = new OnnxModel(CharacterNetwork.ForTraining(Batch), "", "training.onnx");
        using Session session = Session.Create(GradientModel.Build(training, CharacterNetwork.Loss, names), SessionSettings.Default);
        var adam = new Adam(Steps, 3e-3);
        var losses = new List<float>();
        for (; state.Step < Steps; state.Step++)
        {
            foreach ((string name, byte[][] arrays) in names.Zip(state.Arrays))
            {
                inputs[name] = new Tensor(ElementType.Float, inputs[name].Shape, arrays[0]);
            }

            IReadOnlyDictionary<string, Tensor> results = session.Run(inputs);
            losses.Add(results[CharacterNetwork.Loss].Values<float>()[0]);
            foreach ((string name, byte[][] arrays) in names.Zip(state.Arrays))
            {
                adam.Change(state.Step, TrainingState.Floats(arrays[0]), TrainingState.Floats(arrays[1]), TrainingState.Floats(arrays[2]), results[name + ".grad"].Values<float>(), decays: false);
            }
        }

        Assert.True(losses[^1] < 0.8 * losses[0], string.Join(" ", losses));
    }

    [Fact]
    public void WhatIsKeptOfTrainingComesBack()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Combine("training.state");
        TrainingState state = TrainingState.Begin(CharacterNetwork.Parameters, seed: 3);
        state.Step = 7;
        state.Write(path);

        TrainingState read = TrainingState.Read(CharacterNetwork.Parameters, path)!;
        Assert.Equal(7, read.Step);
        Assert.Equal(state.Arrays.SelectMany(a => a).Select(a => a.Length), read.Arrays.SelectMany(a => a).Select(a => a.Length));
        Assert.All(state.Arrays.SelectMany(a => a).Zip(read.Arrays.SelectMany(a => a)), pair => Assert.True(pair.First.AsSpan().SequenceEqual(pair.Second)));
        Assert.Null(TrainingState.Read(CharacterNetwork.Parameters, folder.Combine("none")));
    }

    [Fact]
    public void PicturesFollowFromTheirSeedsAndCharactersComeEquallyOften()
    {
        const int Pictures = 3600;
        float[] once = new float[Pixels], again = new float[Pixels];
        int[] counts = new int[Glyphs.Characters.Length];
        for (int seed = 0; seed < Pictures; seed++)
        {
            counts[CharacterPictures.Draw(seed, once)]++;
        }

        CharacterPictures.Draw(Pictures - 1, again);
        Assert.Equal(once, again);
        Assert.All(counts, c => Assert.InRange(c, 60, 140));
    }

    [Fact]
    public void TheSamplesPicturesAreThoseThatAreDrawn()
    {
        string folder = RepositoryRoot.Path("samples/Characters/pictures");
        using JsonDocument labels = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "labels.json")));
        var drawn = new float[Pixels];
        foreach ((string set, int seed) in new[] { ("calibration", CharacterPictures.CalibrationSeed), ("evaluation", CharacterPictures.EvaluationSeed) })
        {
            for (int i = 0; i < 20; i++)
            {
                string file = $"{set}/{i:000}.png";
                char character = Glyphs.Characters[CharacterPictures.Draw(seed + i, drawn)];
                Image image = Image.Read(Path.Combine(folder, file), new Place(file), channels: 1);

                Assert.Equal(character.ToString(), labels.RootElement.GetProperty("labels").GetProperty(file).GetString());
                Assert.Equal(CharacterPictures.Size, image.Width);
                Assert.All(drawn.Zip(image.Values), p => Assert.Equal(Math.Clamp(255 * p.First, 0, 255), p.Second, 0.51f));
            }
        }
    }

    /// <summary>Pictures, their labels, and random parameters of which none is zero.</summary>
    private static Dictionary<string, Tensor> Inputs(out long[] labels)
    {
        var pictures = new float[Batch * Pixels];
        labels = [.. Enumerable.Range(0, Batch).Select(i => (long)CharacterPictures.Draw(i, pictures.AsSpan(i * Pixels, Pixels)))];
        var inputs = new Dictionary<string, Tensor>
        {
            [CharacterNetwork.Image] = Tensor.Of<float>(pictures, Batch, 1, CharacterPictures.Size, CharacterPictures.Size),
            [CharacterNetwork.Label] = Tensor.Of<long>(labels, Batch),
        };
        var random = new Random(2);
        foreach (Parameter parameter in CharacterNetwork.Parameters)
        {
            float scale = (float)(parameter.Deviation > 0 ? parameter.Deviation * Math.Sqrt(3) : 0.5);
            inputs.Add(parameter.Name, Tensor.Of<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(parameter.Shape)).Select(_ => parameter.Mean + (scale * ((2 * random.NextSingle()) - 1)))], parameter.Shape));
        }

        return inputs;
    }
}
