using MixedPrecision.Benchmarks.Training;
using MixedPrecision.Benchmarks.Training.Search;
using MixedPrecision.Execution;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>The encoder of the sample EmbeddingSearch, as the benchmarks train it.</summary>
public sealed class SearchTrainingTests
{
    private const int Batch = 4;

    private static readonly ApiEntry[] Entries = [.. Enumerable.Range(0, 40).Select(i => new ApiEntry(
        $"Some.Where.Type{i % 7}.Member{i}", $"Some.Where.Type{i % 7}", $"Gets member{i} of a type and {string.Join(' ', Enumerable.Range(0, i % 9).Select(w => $"word{i + w}"))}"))];

    [Fact]
    public void TheModelForUseComputesWhatTheModelForTrainingDoes()
    {
        TrainingState state = TrainingState.Begin(EncoderNetwork.Parameters, seed: 1);
        Dictionary<string, Tensor> inputs = Trainer.With(new SearchBatches(Entries, Batch).Of(2), state);
        using Session training = Session.Create(EncoderNetwork.ForTraining(Batch), SessionSettings.Default);
        double loss = training.Run(inputs)[EncoderNetwork.Loss].Values<float>()[0];

        using Session use = Session.Create(EncoderNetwork.ForUse(state.Values), SessionSettings.Default);
        float[][] Encoded(string side)
        {
            var texts = new Dictionary<string, Tensor> { [EncoderNetwork.Tokens] = inputs[side + EncoderNetwork.Tokens], [EncoderNetwork.Mask] = inputs[side + EncoderNetwork.Mask] };
            float[] all = use.Run(texts)[EncoderNetwork.Embedding].Values<float>().ToArray();
            return [.. all.Chunk(all.Length / Batch)];
        }

        float[][] queries = Encoded(EncoderNetwork.Query), documents = Encoded(EncoderNetwork.Document);
        double Score(int query, int document) => 20 * queries[query].Zip(documents[document], (x, y) => x * y).Sum();
        double expected = Enumerable.Range(0, Batch).Average(own =>
            (Math.Log(Enumerable.Range(0, Batch).Sum(other => Math.Exp(Score(own, other) - Score(own, own)))) + Math.Log(Enumerable.Range(0, Batch).Sum(other => Math.Exp(Score(other, own) - Score(own, own))))) / 2);
        Assert.All(queries.Concat(documents), vector => Assert.Equal(1, vector.Sum(v => v * v), 1e-4));
        Assert.Equal(expected, loss, 1e-3);
    }

    [Fact]
    public void StepsOnOneBatchLowerItsLoss()
    {
        const int Steps = 5;
        using var folder = new TemporaryFolder();
        var batches = new SearchBatches(Entries, Batch);
        var trainer = new Trainer(EncoderNetwork.ForTraining(Batch), EncoderNetwork.Loss, Steps, 1e-3, _ => batches.Of(0));
        double Loss(TrainingState state)
        {
            using Session session = Session.Create(trainer.Model, SessionSettings.Default);
            return session.Run(Trainer.With(batches.Of(0), state))[trainer.Loss].Values<float>()[0];
        }

        double before = Loss(TrainingState.Begin(EncoderNetwork.Parameters, seed: 1));
        Assert.Null(trainer.Run(EncoderNetwork.Parameters, folder.Combine("training.state"), seconds: 0));
        TrainingState trained = trainer.Run(EncoderNetwork.Parameters, folder.Combine("training.state"), double.PositiveInfinity)!;

        Assert.Equal(Steps, trained.Step);
        Assert.True(Loss(trained) < 0.5 * before, $"{before} {Loss(trained)}");
    }

    [Fact]
    public void BatchesFollowFromTheirNumbersAndEveryPairComesOnceInAnEpoch()
    {
        const int PerEpoch = 8;
        SearchBatches once = new(Entries, Batch), again = new(Entries, Batch);
        static string Text(Tensor tokens, int row) => string.Join(' ', tokens.Values<long>().ToArray().Chunk((int)tokens.Shape[1]).ElementAt(row).Where(t => t > 0));

        string[] texts = [.. Enumerable.Range(0, PerEpoch).Select(once.Of).SelectMany(b => Enumerable.Range(0, Batch).Select(row => Text(b[EncoderNetwork.Document + EncoderNetwork.Tokens], row)))];
        Assert.Equal(texts.Length, texts.Distinct().Count());

        again.Of(11);
        foreach ((string name, Tensor value) in once.Of(5))
        {
            Assert.Equal(value.Bytes.ToArray(), again.Of(5)[name].Bytes.ToArray());
        }
    }
}
