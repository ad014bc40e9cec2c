using System.Numerics;
using System.Runtime.InteropServices;
using MixedPrecision.Caching;
using MixedPrecision.Formats;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Calibration;

/// <summary>
/// Sums of <see cref="InputMoments"/> over samples, exact in any order: sums of parts of the samples merge to the same bits as the sum over all. What a sample adds is rounded once, to 2⁻²⁴ of its
/// largest element or finer, and then added in whole numbers. Samples of very different size have sums of their own.
/// </summary>
/// <param name="inputs">K.</param>
/// <param name="width">Inputs of a block.</param>
internal sealed class MomentSums(int inputs, int width)
{
    /// <summary>Binary digits that a unit lies below the largest element: 24, and as many as one sum may span. 2²³ samples fit before a sum of 64 bits is full.</summary>
    private const int Precision = 24;
    private const int Span = 16;

    /// <summary>By exponent of the unit over <see cref="Span"/>.</summary>
    private readonly SortedDictionary<int, long[]> sums = [];
    private readonly float[] largest = new float[inputs];
    private readonly Lock gate = new();

    public int Inputs => inputs;

    public int Width => width;

    /// <summary>Samples that were added.</summary>
    public int Samples { get; private set; }

    /// <summary>Rows that these had.</summary>
    public long Rows { get; private set; }

    /// <summary>Adds what one sample has: of each input the largest magnitude; the blocks one after the other, of each the upper triangle row by row; how many rows. Any number of threads may add. A sample with an element that is no finite number is not added.</summary>
    public void Add(ReadOnlySpan<float> magnitudes, ReadOnlySpan<float> triangles, long rows)
    {
        float most = triangles.IsEmpty ? 0 : MathF.Abs(TensorPrimitives.MaxMagnitude(triangles));
        if (!float.IsFinite(most))
        {
            return;
        }

        int place = (int)Math.Ceiling((Math.ILogB(MathF.Max(most, float.Epsilon)) + 1) / (double)Span);
        double perUnit = Math.ScaleB(1, Span + Precision - (place * Span));
        lock (gate)
        {
            Samples++;
            Rows += rows;
            TensorPrimitives.Max(largest, magnitudes, largest);
            if (most == 0)
            {
                return;
            }

            AddRounded(triangles, perUnit, Sum(place));
        }
    }

    /// <summary>Adds round(value · perUnit), below 2⁵¹: a double to which 1.5 · 2⁵² is added holds the whole number in its last bits, which takes any processor one step for several.</summary>
    private static void AddRounded(ReadOnlySpan<float> values, double perUnit, Span<long> sum)
    {
        var middle = new Vector<double>(1.5 * (1L << 52));
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        Span<Vector<long>> sums = MemoryMarshal.Cast<long, Vector<long>>(sum);
        for (int i = 0; i < vectors.Length; i++)
        {
            Vector.Widen(vectors[i], out Vector<double> first, out Vector<double> second);
            sums[2 * i] += Vector.AsVectorInt64((first * perUnit) + middle) - Vector.AsVectorInt64(middle);
            sums[(2 * i) + 1] += Vector.AsVectorInt64((second * perUnit) + middle) - Vector.AsVectorInt64(middle);
        }

        for (int i = vectors.Length * Vector<float>.Count; i < values.Length; i++)
        {
            sum[i] += (long)Math.Round(values[i] * perUnit);
        }
    }

    /// <summary>Adds the sums over other samples.</summary>
    public void Add(MomentSums others)
    {
        Samples += others.Samples;
        Rows += others.Rows;
        TensorPrimitives.Max<float>(largest, others.largest, largest);
        foreach ((int place, long[] values) in others.sums)
        {
            long[] sum = Sum(place);
            for (int i = 0; i < sum.Length; i++)
            {
                sum[i] += values[i];
            }
        }
    }

    /// <summary>As <see cref="InputMoments"/> are read: the largest magnitudes, then the sums as floats.</summary>
    public float[] Total()
    {
        var total = new double[InputMoments.Count(inputs, width)];
        foreach ((int place, long[] values) in sums)
        {
            double unit = Math.ScaleB(1, (place * Span) - Span - Precision);
            for (int i = 0; i < total.Length; i++)
            {
                total[i] += values[i] * unit;
            }
        }

        return [.. largest, .. total.Select(t => (float)t)];
    }

    /// <summary>Identifies sums by what they come to, and by how many rows.</summary>
    public string HashOf(ReadOnlySpan<float> total) => CacheKey.Of().With("rows", Rows).WithBytes("sums", MemoryMarshal.AsBytes(total)).Hex;

    private long[] Sum(int place) => sums.TryGetValue(place, out long[]? sum) ? sum : sums[place] = new long[InputMoments.Count(inputs, width)];
}
