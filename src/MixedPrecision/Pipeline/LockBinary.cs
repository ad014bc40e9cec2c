using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using MixedPrecision.Onnx;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>
/// Constants on which data decided, as a lock keeps them: byte by byte the difference from what the weight alone gives, which is mostly nothing, compressed by Brotli (RFC 7932), each layer by itself; before them
/// the scales of balanced channels.
/// </summary>
internal static class LockBinary
{
    private const int Quality = 9;

    /// <summary>Appends the constants of a layer; what is there already is told again, since several plans have much in common.</summary>
    /// <param name="written">The parts that are there, by their content.</param>
    /// <param name="scales">What its input's channels are divided by, or null.</param>
    /// <param name="plain">What the weight alone gives.</param>
    /// <param name="constants">What they are.</param>
    public static LockedPart Append(Stream stream, Dictionary<string, LockedPart> written, float[]? scales, IReadOnlyList<Tensor> plain, IReadOnlyList<Tensor> constants)
    {
        using var part = new MemoryStream();
        using (var compressed = new BrotliStream(part, new BrotliCompressionOptions { Quality = Quality }, leaveOpen: true))
        {
            compressed.Write(MemoryMarshal.AsBytes<float>(scales));
            foreach ((Tensor from, Tensor to) in plain.Zip(constants, (from, to) => from.ToString() == to.ToString() ? (from, to) : throw new InvalidOperationException($"{from} is prepared as {to}")))
            {
                byte[] difference = to.Bytes.ToArray();
                Subtract(difference, from.Bytes.Span);
                compressed.Write(difference);
            }
        }

        string content = $"{Convert.ToHexStringLower(SHA256.HashData(part.GetBuffer().AsSpan(0, (int)part.Length)))} {scales is not null}";
        if (!written.TryGetValue(content, out LockedPart? known))
        {
            written.Add(content, known = new LockedPart(stream.Position, part.Length, scales is not null));
            part.WriteTo(stream);
        }

        return known;
    }

    /// <summary>The scales of a layer's balanced channels.</summary>
    /// <exception cref="InvalidDataException">The part does not hold them.</exception>
    public static float[] Scales(FileStream file, LockedPart part, int inputs)
    {
        var scales = new float[inputs];
        using BrotliStream stream = Open(file, part);
        ReadExactly(stream, MemoryMarshal.AsBytes(scales.AsSpan()));
        return scales.All(s => float.IsNormal(s) && s > 0) ? scales : throw new InvalidDataException("a scale is no number above 0");
    }

    /// <summary>The constants of a layer.</summary>
    /// <param name="skipped">Bytes of scales before them.</param>
    /// <param name="plain">What the weight alone gives.</param>
    /// <exception cref="InvalidDataException">The part does not hold as many bytes as they have.</exception>
    public static IReadOnlyList<Tensor> Restore(FileStream file, LockedPart part, int skipped, IReadOnlyList<Tensor> plain)
    {
        using BrotliStream stream = Open(file, part);
        ReadExactly(stream, new byte[skipped]);
        var constants = new List<Tensor>();
        foreach (Tensor from in plain)
        {
            byte[] bytes = new byte[from.Bytes.Length];
            ReadExactly(stream, bytes);
            Add(bytes, from.Bytes.Span);
            constants.Add(new Tensor(from.ElementType, from.Shape, bytes));
        }

        return stream.ReadByte() < 0 ? constants : throw new InvalidDataException("it holds more bytes than the layer has");
    }

    private static BrotliStream Open(FileStream file, LockedPart part)
    {
        if (part.Offset < 0 || part.Length <= 0 || part.Length > Array.MaxLength || part.Offset > file.Length - part.Length)
        {
            throw new InvalidDataException("it lies outside of the file");
        }

        byte[] compressed = new byte[part.Length];
        for (int read = 0; read < compressed.Length;)
        {
            int count = RandomAccess.Read(file.SafeFileHandle, compressed.AsSpan(read), part.Offset + read);
            read += count > 0 ? count : throw new InvalidDataException("it ends early");
        }

        return new BrotliStream(new MemoryStream(compressed), CompressionMode.Decompress);
    }

    private static void ReadExactly(BrotliStream stream, Span<byte> bytes)
    {
        try
        {
            stream.ReadExactly(bytes);
        }
        catch (Exception e) when (e is EndOfStreamException or InvalidOperationException)
        {
            throw new InvalidDataException("it holds fewer bytes than the layer has", e);
        }
    }

    private static void Subtract(Span<byte> from, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < from.Length; i++)
        {
            from[i] = unchecked((byte)(from[i] - bytes[i]));
        }
    }

    private static void Add(Span<byte> to, ReadOnlySpan<byte> bytes)
    {
        for (int i = 0; i < to.Length; i++)
        {
            to[i] = unchecked((byte)(to[i] + bytes[i]));
        }
    }
}
