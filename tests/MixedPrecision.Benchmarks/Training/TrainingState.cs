using System.Runtime.InteropServices;

namespace MixedPrecision.Benchmarks.Training;

/// <summary>A parameter of a network.</summary>
/// <param name="Deviation">Of its first values; 0: all are <paramref name="Mean"/>, and it does not decay.</param>
internal sealed record Parameter(string Name, long[] Shape, float Mean, double Deviation);

/// <summary>What training has come to: parameters and what the optimizer keeps of them.</summary>
internal sealed class TrainingState
{
    private TrainingState(IReadOnlyList<Parameter> parameters)
    {
        Parameters = parameters;
        Arrays = [.. parameters.Select(p => Enumerable.Range(0, 3).Select(_ => new byte[p.Shape.Aggregate(4L, (a, b) => a * b)]).ToArray())];
    }

    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>Steps done.</summary>
    public int Step { get; set; }

    /// <summary>By the order of the parameters: values, running means of gradients, and of their squares, as bytes of floats.</summary>
    public byte[][][] Arrays { get; }

    /// <summary>Values by the names of their parameters.</summary>
    public Dictionary<string, float[]> Values => Parameters.Zip(Arrays).ToDictionary(p => p.First.Name, p => Floats(p.Second[0]).ToArray());

    public static Span<float> Floats(byte[] bytes) => MemoryMarshal.Cast<byte, float>(bytes.AsSpan());

    public static TrainingState Begin(IReadOnlyList<Parameter> parameters, int seed)
    {
        var state = new TrainingState(parameters);
        var random = new Random(seed);
        foreach ((Parameter parameter, byte[][] arrays) in parameters.Zip(state.Arrays))
        {
            foreach (ref float value in Floats(arrays[0]))
            {
                double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
                value = parameter.Mean + (float)(parameter.Deviation * normal);
            }
        }

        return state;
    }

    public static TrainingState? Read(IReadOnlyList<Parameter> parameters, string path)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using var reader = new BinaryReader(File.OpenRead(path));
        var state = new TrainingState(parameters) { Step = reader.ReadInt32() };
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
