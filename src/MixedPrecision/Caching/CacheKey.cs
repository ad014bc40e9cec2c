using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace MixedPrecision.Caching;

/// <summary>
/// A complete description of a computation, as named parts in order. Parts hold everything that determines the result and
/// nothing else: no paths, no clocks. Two keys are equal when their parts are: each name and value enters the hash behind
/// its length, so that parts cannot run into one another, and each value behind its kind, so that a text is never taken for
/// the hash of some bytes.
/// </summary>
public sealed class CacheKey
{
    private readonly ImmutableArray<Part> parts;
    private readonly Lazy<byte[]> hash;

    private CacheKey(ImmutableArray<Part> parts)
    {
        this.parts = parts;
        hash = new Lazy<byte[]>(() => ComputeHash(parts));
    }

    private enum PartKind : byte
    {
        Text = (byte)'t',
        Bytes = (byte)'b',
        Number = (byte)'n',
        Key = (byte)'k',
    }

    /// <summary>SHA-256 of the parts: 32 bytes.</summary>
    public ReadOnlySpan<byte> Hash => hash.Value;

    /// <summary><see cref="Hash"/> in lower-case hexadecimal, 64 characters.</summary>
    public string Hex => Convert.ToHexStringLower(hash.Value);

    /// <summary>A key of text parts in the given order.</summary>
    /// <exception cref="ArgumentException">A name occurs twice.</exception>
    public static CacheKey Of(params (string Name, string Value)[] parts) =>
        parts.Aggregate(new CacheKey([]), (key, part) => key.With(part.Name, part.Value));

    public CacheKey With(string name, string value) => Append(name, PartKind.Text, value);

    public CacheKey With(string name, long value) => Append(name, PartKind.Number, value.ToString(CultureInfo.InvariantCulture));

    /// <summary>Adds a number in the shortest form that reads back to the same number.</summary>
    public CacheKey With(string name, double value) => Append(name, PartKind.Number, value.ToString("R", CultureInfo.InvariantCulture));

    /// <summary>Adds another computation, whose result this one uses.</summary>
    public CacheKey With(string name, CacheKey value) => Append(name, PartKind.Key, value.Hex);

    /// <summary>Adds the SHA-256 of some bytes.</summary>
    public CacheKey WithBytes(string name, ReadOnlySpan<byte> bytes) =>
        Append(name, PartKind.Bytes, Convert.ToHexStringLower(SHA256.HashData(bytes)));

    /// <summary>The parts in order, to find out why two keys differ; bytes and keys appear as their SHA-256 in hexadecimal.</summary>
    public IReadOnlyList<(string Name, string Value)> Describe() => [.. parts.Select(part => (part.Name, part.Value))];

    public override string ToString() => Hex;

    private CacheKey Append(string name, PartKind kind, string value)
    {
        foreach (Part part in parts.AsSpan())
        {
            if (part.Name == name)
                throw new ArgumentException($"The key has a part '{name}' already.", nameof(name));
        }

        return new CacheKey(parts.Add(new Part(name, kind, value)));
    }

    private static byte[] ComputeHash(ImmutableArray<Part> parts)
    {
        using IncrementalHash sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (Part part in parts)
        {
            AppendText(sha, part.Name);
            sha.AppendData([(byte)part.Kind]);
            AppendText(sha, part.Value);
        }

        return sha.GetHashAndReset();
    }

    /// <summary>Length, then UTF-16 code units: any text, even one that is not well-formed, keeps an encoding of its own.</summary>
    private static void AppendText(IncrementalHash sha, string text)
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(text.AsSpan());
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        sha.AppendData(length);
        sha.AppendData(bytes);
    }

    private sealed record Part(string Name, PartKind Kind, string Value);
}
