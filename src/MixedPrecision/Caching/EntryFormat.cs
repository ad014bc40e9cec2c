using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace MixedPrecision.Caching;

/// <summary>
/// The bytes of one entry of the store: mark (8), identity of stage and key (32), length of the content (8, little-endian),
/// SHA-256 of the content (32), content. Every bit is covered: a change anywhere is one of the reasons of <see cref="Read"/>.
/// </summary>
internal static class EntryFormat
{
    public const int HeaderLength = MarkLength + HashLength + sizeof(long) + HashLength;

    private const int MarkLength = 8;
    private const int HashLength = SHA256.HashSizeInBytes;
    private const int BufferLength = 1 << 20;

    /// <summary>Name and version of the format.</summary>
    private static ReadOnlySpan<byte> Mark => "MPBSTOR1"u8;

    /// <summary>What an entry answers: its stage and its key, so that a file in the wrong place is noticed.</summary>
    public static byte[] Identity(string stage, ReadOnlySpan<byte> key) => SHA256.HashData([.. Encoding.UTF8.GetBytes(stage), 0, .. key]);

    public static byte[] Header(string stage, CacheKey key, ReadOnlySpan<byte> content)
    {
        byte[] header = new byte[HeaderLength];
        Span<byte> rest = header;
        Mark.CopyTo(rest);
        Identity(stage, key.Hash).CopyTo(rest[MarkLength..]);
        BinaryPrimitives.WriteInt64LittleEndian(rest[(MarkLength + HashLength)..], content.Length);
        SHA256.HashData(content, rest[(HeaderLength - HashLength)..]);
        return header;
    }

    /// <summary>The content of an entry, or null with the reason why the entry cannot be trusted.</summary>
    public static byte[]? Read(ReadOnlySpan<byte> entry, string stage, CacheKey key, out string? damage)
    {
        damage = Check(entry, stage, key);
        return damage is null ? entry[HeaderLength..].ToArray() : null;
    }

    /// <summary>Why a whole entry cannot be trusted, or null; holds no more than a buffer of it in memory.</summary>
    /// <param name="entry">The entry, from its start.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="key">Hash of the key that it is to answer.</param>
    /// <param name="copy">Receives the entry.</param>
    public static string? Check(Stream entry, long length, string stage, ReadOnlySpan<byte> key, Stream copy)
    {
        byte[] header = new byte[HeaderLength];
        if (CheckHeader(header.AsSpan(0, entry.ReadAtLeast(header, HeaderLength, throwOnEndOfStream: false)), length, stage, key) is { } damage)
            return damage;
        if (BinaryPrimitives.ReadInt64LittleEndian(header.AsSpan(MarkLength + HashLength)) != length - HeaderLength)
            return "header: it states another length";
        copy.Write(header);
        return HashOf(entry, copy).AsSpan().SequenceEqual(header.AsSpan(HeaderLength - HashLength)) ? null : "checksum: the content differs from its SHA-256";
    }

    /// <summary>SHA-256 of the rest of a stream, which is copied.</summary>
    public static byte[] HashOf(Stream rest, Stream copy)
    {
        using IncrementalHash sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        byte[] buffer = new byte[BufferLength];
        for (int read = rest.Read(buffer); read > 0; read = rest.Read(buffer))
        {
            sha.AppendData(buffer, 0, read);
            copy.Write(buffer, 0, read);
        }

        return sha.GetHashAndReset();
    }

    /// <param name="start">The entry, as far as a header goes at least.</param>
    /// <param name="length">Bytes of the whole entry.</param>
    private static string? CheckHeader(ReadOnlySpan<byte> start, long length, string stage, ReadOnlySpan<byte> key) =>
        start.Length < HeaderLength ? $"truncated: {length} bytes, fewer than a header's {HeaderLength}"
        : !start.StartsWith(Mark) ? "header: the mark of the format is missing"
        : !start.Slice(MarkLength, HashLength).SequenceEqual(Identity(stage, key)) ? "wrong key: the entry answers another stage or key"
        : null;

    private static string? Check(ReadOnlySpan<byte> entry, string stage, CacheKey key)
    {
        if (CheckHeader(entry, entry.Length, stage, key.Hash) is { } damage)
            return damage;
        long stated = BinaryPrimitives.ReadInt64LittleEndian(entry[(MarkLength + HashLength)..]);
        ReadOnlySpan<byte> content = entry[HeaderLength..];
        if (content.Length != stated)
            return content.Length < stated
                ? $"truncated: {content.Length} bytes of content where the header states {stated}"
                : $"header: {content.Length} bytes of content where the header states {stated}";
        return SHA256.HashData(content).AsSpan().SequenceEqual(entry[(HeaderLength - HashLength)..HeaderLength])
            ? null
            : "checksum: the content differs from its SHA-256";
    }
}
