using System.Globalization;
using System.Runtime.InteropServices;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Quantization;

/// <summary>
/// What formats prepare from weights (rounded values, scales), computed once and kept by content: probe, timer, emission and the check of what was emitted
/// take it from here. Small constants stay in memory, up to a limit; large ones lie in the cache as files and are mapped, or, without a cache, last as long as
/// somebody holds them. Tensors from here must not be used after this is disposed of. Any number of threads may share it.
/// </summary>
/// <param name="store">The cache, or null.</param>
/// <param name="warn">Told of entries of the cache that are damaged and were made anew.</param>
public sealed class Preparations(ContentStore? store = null, Action<Diagnostic>? warn = null) : IDisposable
{
    private const string Stage = "preparation";
    private const int LargestInMemory = 1 << 20;
    private const long MostInMemory = 64 << 20;

    /// <summary>Tensors start where every element type is aligned.</summary>
    private const int Alignment = 64;

    private readonly Lock gate = new();
    private readonly Dictionary<string, IReadOnlyList<Tensor>> held = [];
    private readonly Dictionary<string, WeakReference<IReadOnlyList<Tensor>>> loose = [];
    private readonly List<ExternalData> mapped = [];
    private long heldBytes;

    /// <summary>How often a format had to prepare a weight.</summary>
    public int Computed { get; private set; }

    /// <summary>The constants of a layer in a format, in the format's order.</summary>
    /// <param name="site">A layer with a weight.</param>
    /// <param name="weight">Its weight.</param>
    /// <exception cref="MixedPrecisionException">MPB8001: the cache cannot be written.</exception>
    public IReadOnlyList<Tensor> Get(LayerSite site, NumberFormat format, Tensor weight)
    {
        CacheKey key = Key(site, format, weight);
        lock (gate)
        {
            if (held.TryGetValue(key.Hex, out IReadOnlyList<Tensor>? known) || (loose.TryGetValue(key.Hex, out var reference) && reference.TryGetTarget(out known)))
            {
                return known;
            }
        }

        bool isSmall = format.Bytes(site) <= LargestInMemory;
        return Keep(key, isSmall, Stored(key, isSmall) ?? Compute(key, isSmall, site, format, weight));
    }

    public void Dispose() => mapped.ForEach(m => m.Dispose());

    /// <summary>What decides on the constants: the weight's content, how the layer reads it, the format, and what calibration saw the layer read where the format asks, or what a lock holds.</summary>
    private static CacheKey Key(LayerSite site, NumberFormat format, Tensor weight) =>
        LockOf(site, format) is { } locked ? OfContents(site, format, weight).With("locked", locked.Hash) : OfContents(site, format, weight);

    private static LockedConstants? LockOf(LayerSite site, NumberFormat format) => site.Locked?.GetValueOrDefault(site.Layer.Weight) is { } locked && locked.Format == format.Name ? locked : null;

    private static CacheKey OfContents(LayerSite site, NumberFormat format, Tensor weight) => CacheKey.Of(
            ("format", format.Name),
            ("weight", weight.ToString()))
        .With("version", format.Version)
        .With("transposed", site.IsWeightTransposed ? 1 : 0)
        .With("embedding", site.IsEmbedding ? 1 : 0)
        .With("alpha", site.Layer.Kind == Partitioning.LayerKind.Gemm ? site.Node.Float("alpha", 1) : 1.0)
        .With("moments", format.ReadsMoments ? site.Moments?.Hash ?? "" : "")
        .WithBytes("input scales", MemoryMarshal.AsBytes<float>(site.InputScales))
        .WithBytes("output scales", MemoryMarshal.AsBytes<float>(site.OutputScales))
        .WithBytes("values", weight.Bytes.Span);

    private IReadOnlyList<Tensor> Keep(CacheKey key, bool isSmall, (IReadOnlyList<Tensor> Tensors, bool IsMapped) made)
    {
        lock (gate)
        {
            if (made.IsMapped)
            {
                return held.TryAdd(key.Hex, made.Tensors) ? made.Tensors : held[key.Hex];
            }

            long bytes = made.Tensors.Sum(t => (long)t.Bytes.Length);
            if (isSmall && heldBytes + bytes <= MostInMemory && held.TryAdd(key.Hex, made.Tensors))
            {
                heldBytes += bytes;
            }
            else
            {
                loose[key.Hex] = new WeakReference<IReadOnlyList<Tensor>>(made.Tensors);
            }

            return made.Tensors;
        }
    }

    private (IReadOnlyList<Tensor>, bool)? Stored(CacheKey key, bool isSmall)
    {
        if (store is null)
        {
            return null;
        }

        string? damage;
        (IReadOnlyList<Tensor>, bool)? found = null;
        if (isSmall)
        {
            found = store.TryGet(Stage, key, out damage) is byte[] bytes ? (Read(bytes), false) : null;
        }
        else
        {
            found = store.TryGetFile(Stage, key, out damage) is string path ? (Map(path), true) : null;
        }

        if (damage is not null)
        {
            warn?.Invoke(Errors.CacheEntryDamaged(Stage, damage));
        }

        return found;
    }

    private (IReadOnlyList<Tensor> Tensors, bool IsMapped) Compute(CacheKey key, bool isSmall, LayerSite site, NumberFormat format, Tensor weight)
    {
        IReadOnlyList<Tensor> tensors = LockOf(site, format) is { } locked ? locked.Restore(format.Prepare(site, weight)) : format.Prepare(site, weight);
        lock (gate)
        {
            Computed++;
        }

        if (store is null)
        {
            return (tensors, false);
        }

        if (isSmall)
        {
            using var stream = new MemoryStream();
            Write(tensors, stream);
            store.Put(Stage, key, stream.GetBuffer().AsSpan(0, (int)stream.Length));
            return (tensors, false);
        }

        store.PutFile(Stage, key, stream => Write(tensors, stream));
        return store.TryGetFile(Stage, key, out _) is string path ? (Map(path), true) : (tensors, false);
    }

    /// <summary>Number of tensors, then of each its type, rank and sizes, all as 64-bit integers; then their bytes, each from an aligned place.</summary>
    private static void Write(IReadOnlyList<Tensor> tensors, Stream stream)
    {
        long[] header = [tensors.Count, .. tensors.SelectMany(t => new long[] { t.ElementType, t.Rank }.Concat(t.Shape))];
        stream.Write(Tensor.Of<long>(header, header.Length).Bytes.Span);
        long position = header.Length * sizeof(long);
        foreach (Tensor tensor in tensors)
        {
            long start = Aligned(position);
            stream.Write(new byte[start - position]);
            stream.Write(tensor.Bytes.Span);
            position = start + tensor.Bytes.Length;
        }
    }

    private static IReadOnlyList<Tensor> Read(byte[] content)
    {
        using var reader = new BinaryReader(new MemoryStream(content));
        return [.. Places(reader).Select(p => new Tensor(p.Type, p.Shape, content.AsMemory((int)p.Start, (int)p.Length)))];
    }

    /// <summary>The tensors of a file as views of it.</summary>
    private IReadOnlyList<Tensor> Map(string path)
    {
        var file = new ExternalData(Path.GetDirectoryName(path)!);
        lock (gate)
        {
            mapped.Add(file);
        }

        using var reader = new BinaryReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete));
        return
        [
            .. Places(reader).Select(p =>
            {
                var proto = new TensorProto { Name = Stage, DataType = p.Type, DataLocation = 1 };
                proto.Dims.AddRange(p.Shape);
                proto.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = Path.GetFileName(path) });
                proto.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = p.Start.ToString(CultureInfo.InvariantCulture) });
                return TensorProtos.Read(proto, file);
            }),
        ];
    }

    private static List<(int Type, long[] Shape, long Start, long Length)> Places(BinaryReader reader)
    {
        var shapes = new List<(int Type, long[] Shape)>();
        for (long left = reader.ReadInt64(); left > 0; left--)
        {
            int type = (int)reader.ReadInt64();
            var shape = new long[reader.ReadInt64()];
            for (int axis = 0; axis < shape.Length; axis++)
            {
                shape[axis] = reader.ReadInt64();
            }

            shapes.Add((type, shape));
        }

        long position = (1 + shapes.Sum(s => 2L + s.Shape.Length)) * sizeof(long);
        var places = new List<(int, long[], long, long)>();
        foreach ((int type, long[] shape) in shapes)
        {
            long start = Aligned(position), length = Tensor.ByteCount(type, shape);
            places.Add((type, shape, start, length));
            position = start + length;
        }

        return places;
    }

    private static long Aligned(long position) => (position + Alignment - 1) / Alignment * Alignment;
}
