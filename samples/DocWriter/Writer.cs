using Microsoft.ML.OnnxRuntime;

namespace DocWriter;

/// <summary>
/// Continues a text byte by byte. The model keeps no state between runs: each byte costs a run over the last 1024 bytes.
/// </summary>
public sealed class Writer(string modelFile) : IDisposable
{
    private const int MaxContext = 1024;
    private const int ByteValues = 256;

    private readonly InferenceSession session = Open(modelFile);
    private readonly RunOptions runOptions = new();

    /// <summary>The bytes that follow <paramref name="start"/>, one at a time, without end.</summary>
    /// <param name="start">At least one byte.</param>
    /// <param name="temperature">0: the most likely byte each time; 1: as the model says; more: wilder.</param>
    /// <param name="seed">The same seed gives the same text.</param>
    public IEnumerable<byte> Continue(byte[] start, double temperature, int seed)
    {
        var random = new Random(seed);
        var text = new List<long>(start.Select(value => (long)value));
        while (true)
        {
            float[] logits = NextLogits([.. text.TakeLast(MaxContext)]);
            int next = temperature > 0 ? Draw(logits, temperature, random) : Array.IndexOf(logits, logits.Max());
            text.Add(next);
            yield return (byte)next;
        }
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

    private float[] NextLogits(long[] context)
    {
        using OrtValue inputIds = OrtValue.CreateTensorValueFromMemory(context, [1, context.Length]);
        var inputs = new Dictionary<string, OrtValue> { ["input_ids"] = inputIds };
        using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(runOptions, inputs, ["logits"]);
        return outputs[0].GetTensorDataAsSpan<float>()[^ByteValues..].ToArray();
    }

    private static int Draw(float[] logits, double temperature, Random random)
    {
        float largest = logits.Max();
        double[] powers = [.. logits.Select(logit => Math.Exp((logit - largest) / temperature))];
        double left = random.NextDouble() * powers.Sum();
        int index = 0;
        while (index < powers.Length - 1 && (left -= powers[index]) > 0)
        {
            index++;
        }
        return index;
    }
}
