using System.Runtime.InteropServices;

namespace MixedPrecision.Benchmarks.Training;

/// <summary>Adam with decoupled weight decay (Loshchilov and Hutter), a warm-up and a cosine down to 0.</summary>
/// <param name="steps">Steps in all.</param>
/// <param name="rate">The largest step.</param>
internal sealed class Adam(int steps, double rate)
{
    private const float First = 0.9f, Second = 0.99f, Epsilon = 1e-7f, Decay = 0.02f;

    private const double WarmUp = 0.08;

    /// <summary>Changes values, and the running means of their gradients and of the squares of these.</summary>
    /// <param name="step">From 0.</param>
    public void Change(int step, Span<float> values, Span<float> means, Span<float> squares, ReadOnlySpan<float> gradient, bool decays)
    {
        double part = (step + 1.0) / steps;
        float now = (float)(rate * (part < WarmUp ? part / WarmUp : 0.5 * (1 + Math.Cos(Math.PI * (part - WarmUp) / (1 - WarmUp)))));
        float correctFirst = 1 - MathF.Pow(First, step + 1), correctSecond = 1 - MathF.Pow(Second, step + 1);
        for (int i = 0; i < values.Length; i++)
        {
            means[i] += (1 - First) * (gradient[i] - means[i]);
            squares[i] += (1 - Second) * ((gradient[i] * gradient[i]) - squares[i]);
            values[i] -= now * ((means[i] / correctFirst / (MathF.Sqrt(squares[i] / correctSecond) + Epsilon)) + (decays ? Decay * values[i] : 0));
        }
    }
}

/// <summary>What training has come to: parameters and what the optimizer keeps of them.</summary>
internal sealed class TrainingState
{
    private TrainingState()
    {
    }

    /// <summary>Steps done.</summary>
    public int Step { get; set; }

    /// <summary>By the order of the parameters: values, running means of gradients, and of their squares, as bytes of floats.</summary>
    public byte[][][] Arrays { get; } = [.. CharacterNetwork.Parameters.Select(p => Enumerable.Range(0, 3).Select(_ => new byte[p.Shape.Aggregate(4L, (a, b) => a * b)]).ToArray())];

    public static Span<float> Floats(byte[] bytes) => MemoryMarshal.Cast<byte, float>(bytes.AsSpan());

    public static TrainingState Begin(int seed)
    {
        var state = new TrainingState();
        var random = new Random(seed);
        foreach ((Parameter parameter, byte[][] arrays) in CharacterNetwork.Parameters.Zip(state.Arrays))
        {
            foreach (ref float value in Floats(arrays[0]))
            {
                double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
                value = parameter.Mean + (float)(parameter.Deviation * normal);
            }
        }

        return state;
    }

    public static TrainingState? Read(string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using var reader = new BinaryReader(File.OpenRead(path));
        var state = new TrainingState { Step = reader.ReadInt32() };
        foreach (byte[] array in state.Arrays.SelectMany(a => a))
        {
            reader.BaseStream.ReadExactly(array);
        }

        return state;
    }

    /// <summary>Writes it, whole or not at all.</summary>
    public void Write(string path)
    {
        string part = path + ".part";
        using (var writer = new BinaryWriter(File.Create(part)))
        {
            writer.Write(Step);
            foreach (byte[] array in Arrays.SelectMany(a => a))
            {
                writer.Write(array);
            }
        }

        File.Move(part, path, overwrite: true);
    }
}
