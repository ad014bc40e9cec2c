using System.Numerics;
using MixedPrecision.Data;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Pipeline;

/// <summary>A sample that may still have to be read.</summary>
/// <param name="Read">Reads it.</param>
/// <param name="IsLate">Whether it is read, and held against others, when it is written: an image.</param>
internal readonly record struct DeferredSample(Func<Sample> Read, bool IsLate);

/// <summary>Chooses some of many samples by chance, the same ones each time, and none twice. Only those are kept in memory, and of images none.</summary>
/// <param name="most">How many.</param>
internal sealed class SampleChoice(int most)
{
    /// <summary>Fixed, so that the same data give the same files.</summary>
    private const int Seed = 2505_1306;

    private readonly Random random = new(Seed);
    private readonly List<DeferredSample> chosen = [];

    /// <summary>Samples so far, without those that repeat others.</summary>
    public long Seen { get; private set; }

    /// <summary>Each of those so far is chosen with the same probability.</summary>
    public void Add(DeferredSample sample)
    {
        Seen++;
        if (chosen.Count < most)
        {
            chosen.Add(sample);
        }
        else if (random.NextInt64(Seen) is var place && place < most)
        {
            chosen[(int)place] = sample;
        }
    }

    /// <summary>What was chosen, in an order of chance: data often stand class by class, and readers take the first or the last part.</summary>
    public IReadOnlyList<DeferredSample> Shuffled()
    {
        DeferredSample[] all = [.. chosen];
        random.Shuffle(all);
        return all;
    }
}

/// <summary>Holds samples against the model and against one another, beyond what reading them does.</summary>
/// <param name="model">The model.</param>
/// <param name="inputs">What it is fed.</param>
/// <param name="warn">Told of what is odd, each once.</param>
internal sealed class SampleInspection(OnnxModel model, IReadOnlyList<InputDeclaration> inputs, Action<Diagnostic> warn)
{
    private readonly Dictionary<string, long> rows = inputs
        .Where(i => i.Type.ElementType is ElementType.Int64 or ElementType.Int32)
        .Select(i => (i.Name, Rows: TokenTables.RowsOf(model, i.Name)))
        .Where(i => i.Rows is not null)
        .ToDictionary(i => i.Name, i => i.Rows!.Value);
    private readonly HashSet<string> seen = [];
    private readonly Dictionary<string, (long[] Least, long[] Greatest)> shapes = [];
    private bool hasWarned;

    /// <summary>Samples that repeat the inputs of others.</summary>
    public int Repeated { get; private set; }

    /// <summary>The shapes that each input has, as a range: <c>[1, 5–48]</c>.</summary>
    public IReadOnlyDictionary<string, string> Shapes => shapes.ToDictionary(
        s => s.Key, s => $"[{string.Join(", ", s.Value.Least.Zip(s.Value.Greatest, (least, greatest) => least == greatest ? $"{least}" : $"{least}–{greatest}"))}]");

    /// <summary>False for one that repeats another.</summary>
    /// <exception cref="MixedPrecisionException">MPB3021: a number picks no row of the model's table.</exception>
    public bool IsNew(Sample sample)
    {
        foreach ((string input, long count) in rows)
        {
            if (Beyond(sample.Inputs[input], count) is { } token)
            {
                throw Errors.DataBeyondTable(sample.Place, input, token, count);
            }
        }

        if (!seen.Add(SampleChecks.Hash(sample)))
        {
            Repeated++;
            return false;
        }

        return true;
    }

    /// <summary>Notes a sample that is written.</summary>
    public void Note(Sample sample)
    {
        foreach ((string name, Tensor value) in sample.Inputs.Where(i => !sample.Filled.Contains(i.Key)))
        {
            (long[] Least, long[] Greatest) known = shapes.TryGetValue(name, out var shape) && shape.Least.Length == value.Rank ? shape : (value.Shape, value.Shape);
            shapes[name] = ([.. known.Least.Zip(value.Shape, Math.Min)], [.. known.Greatest.Zip(value.Shape, Math.Max)]);
        }

        foreach (Diagnostic warning in hasWarned ? [] : DimensionNames.Warnings(model.DisplayName, inputs, [sample]))
        {
            hasWarned = true;
            warn(warning);
        }
    }

    /// <summary>The first number that picks no row of a table; those below zero count from its end.</summary>
    private static long? Beyond(Tensor value, long rows) =>
        value.ElementType == ElementType.Int32 ? Beyond(value.Values<int>(), rows) : Beyond(value.Values<long>(), rows);

    private static long? Beyond<T>(ReadOnlySpan<T> tokens, long rows)
        where T : IBinaryInteger<T>
    {
        foreach (T token in tokens)
        {
            long number = long.CreateChecked(token);
            if (number >= rows || number < -rows)
            {
                return number;
            }
        }

        return null;
    }
}
