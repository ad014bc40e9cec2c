using System.Runtime.InteropServices;
using MixedPrecision.Caching;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace MixedPrecision.Formats;

/// <summary>
/// H = Σ xxᵀ over the rows x of an activation that calibration saw, [K, K], as far as it is kept: in blocks along the diagonal. What calibration tells of a layer
/// besides its weight when a format prepares it: the squared error of an output column w + Δw over these rows is Δwᵀ H Δw.
/// </summary>
/// <param name="inputs">K.</param>
/// <param name="rows">How many rows.</param>
/// <param name="width">Inputs of a block; the last block may have fewer.</param>
/// <param name="hash">Identifies values and number of rows.</param>
/// <param name="read">Of each input the largest magnitude, then the blocks one after the other, of each the upper triangle row by row.</param>
public sealed class InputMoments(int inputs, long rows, int width, string hash, Func<ReadOnlyMemory<float>> read)
{
    private readonly Lock gate = new();
    private readonly WeakReference<Compensation> compensation = new(null!);

    /// <summary>K.</summary>
    public int Inputs => inputs;

    /// <summary>How many rows were seen.</summary>
    public long Rows => rows;

    /// <summary>Identifies values and number of rows: moments of one hash are equal.</summary>
    public string Hash => hash;

    /// <summary>Elements that the blocks of so many inputs hold.</summary>
    public static long Count(int inputs, int width) => Blocks(inputs, width).Sum(b => (long)b.Size * (b.Size + 1) / 2);

    /// <summary>First input and size of each block.</summary>
    public static IEnumerable<(int Start, int Size)> Blocks(int inputs, int width) =>
        Enumerable.Range(0, (inputs + width - 1) / width).Select(i => (i * width, Math.Min(width, inputs - (i * width))));

    /// <summary>The largest magnitude of each input, [K].</summary>
    public float[] Largest() => read().Span[..inputs].ToArray();

    /// <summary>The moments of x/s.</summary>
    /// <param name="scales">s, [K].</param>
    public InputMoments Divided(float[] scales) => new(inputs, rows, width, CacheKey.Of(("moments", hash)).WithBytes("scales", MemoryMarshal.AsBytes<float>(scales)).Hex, () =>
    {
        float[] values = read().ToArray();
        TensorPrimitives.Divide(values.AsSpan(0, inputs), scales, values.AsSpan(0, inputs));
        int place = inputs;
        foreach ((int start, int size) in Blocks(inputs, width))
        {
            for (int row = start; row < start + size; row++)
            {
                Span<float> own = values.AsSpan(place, start + size - row);
                TensorPrimitives.Divide(own, scales.AsSpan(row, own.Length), own);
                TensorPrimitives.Divide(own, scales[row], own);
                place += own.Length;
            }
        }

        return values;
    });

    /// <summary>The moments of groups of inputs of one size, each of which has whole blocks.</summary>
    public IReadOnlyList<InputMoments> OfGroups(int groups)
    {
        if (groups == 1)
        {
            return [this];
        }

        var values = new Lazy<ReadOnlyMemory<float>>(read);
        int size = inputs / groups, count = (int)Count(size, width);
        return [.. Enumerable.Range(0, groups).Select(g => new InputMoments(size, rows, width, $"{hash} {g} of {groups}", () =>
            (float[])[.. values.Value.Span.Slice(g * size, size), .. values.Value.Span.Slice(inputs + (g * count), count)]))];
    }

    /// <summary>The widest blocks, up to a width, of which each group of inputs has whole ones.</summary>
    public static int WidthOf(int size, int groups, int width)
    {
        width = Math.Min(width, size);
        while (groups > 1 && size % width != 0)
        {
            width--;
        }

        return width;
    }

    /// <summary>The blocks as full matrices, by their first input.</summary>
    public IReadOnlyList<(int Start, int Size, float[] Values)> Read()
    {
        ReadOnlySpan<float> triangles = read().Span[inputs..];
        var blocks = new List<(int, int, float[])>();
        foreach ((int start, int size) in Blocks(inputs, width))
        {
            var values = new float[size * size];
            for (int row = 0; row < size; row++)
            {
                triangles[..(size - row)].CopyTo(values.AsSpan((row * size) + row));
                triangles = triangles[(size - row)..];
                for (int column = 0; column < row; column++)
                {
                    values[(row * size) + column] = values[(column * size) + row];
                }
            }

            blocks.Add((start, size, values));
        }

        return blocks;
    }

    /// <summary>What rounding with compensation takes from the moments, made once for as long as somebody holds it: layers that read one activation share it.</summary>
    internal Compensation Compensation()
    {
        lock (gate)
        {
            if (!compensation.TryGetTarget(out Compensation? made))
            {
                compensation.SetTarget(made = Formats.Compensation.Of(this));
            }

            return made;
        }
    }
}
