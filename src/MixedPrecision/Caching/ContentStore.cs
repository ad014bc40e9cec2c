using System.Buffers.Binary;
using System.Security.Cryptography;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Caching;

/// <summary>
/// A folder of results by the key of the computation that made them: <c>{stage}/{ab}/{key}</c>, and large files by the SHA-256
/// of their content: <c>content/{ab}/{sha256}</c>.
/// Any number of threads and processes may share a folder: an entry is written beside its place, flushed to disk and renamed, so
/// a reader meets the old entry, the new one or none. What cannot be trusted (cut short, changed, answering another key) is
/// told apart from what is absent, is never returned, and is replaced by the next <see cref="Put"/>.
/// Two writers of one key write equal content, hence nothing is said about who is last.
/// </summary>
/// <param name="folder">The folder; made when the first entry is written.</param>
public sealed class ContentStore(string folder)
{
    internal const string ContentFolder = "content";
    private const int BufferLength = 1 << 20;

    /// <summary>The age of an entry is told from its last use, as exactly as this.</summary>
    private static readonly TimeSpan Grain = TimeSpan.FromMinutes(10);

    public string Folder { get; } = folder;

    /// <summary>
    /// The cache folder of the user: <c>mixed-precision</c> in XDG_CACHE_HOME or ~/.cache, on Windows in the local application data.
    /// </summary>
    /// <exception cref="MixedPrecisionException">MPB8001: the user has no such folder.</exception>
    public static string DefaultFolder()
    {
        string? parent = OperatingSystem.IsWindows()
            ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
            : Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        // The XDG specification asks to ignore a relative path.
        if (!Path.IsPathFullyQualified(parent ?? ""))
            parent = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify), ".cache");
        if (!Path.IsPathFullyQualified(parent!))
            throw Errors.CacheNotWritable(parent!, "neither XDG_CACHE_HOME nor HOME names a folder by its full path");
        return Path.Combine(parent!, "mixed-precision");
    }

    /// <summary>The content stored for a key, or null.</summary>
    /// <param name="stage">Name of the stage: lower-case letters, digits and hyphens.</param>
    /// <param name="key">What determines the content.</param>
    /// <param name="damage">Null when the entry is absent or sound; else why it cannot be trusted.</param>
    public byte[]? TryGet(string stage, CacheKey key, out string? damage)
    {
        damage = null;
        byte[] entry;
        string path = EntryPath(stage, key);
        try
        {
            entry = ReadShared(path);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            damage = $"unreadable: {exception.Message}";
            return null;
        }

        Touch(path);
        return EntryFormat.Read(entry, stage, key, out damage);
    }

    /// <summary>Stores the content for a key, in place of what is there.</summary>
    /// <exception cref="MixedPrecisionException">The folder cannot be written.</exception>
    public void Put(string stage, CacheKey key, ReadOnlySpan<byte> content)
    {
        string target = EntryPath(stage, key);
        byte[] header = EntryFormat.Header(stage, key, content);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            using var temporary = new TemporaryFile(Folder);
            temporary.Stream.Write(header);
            temporary.Stream.Write(content);
            temporary.MoveTo(target);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Errors.CacheNotWritable(Folder, exception.Message);
        }
    }

    /// <summary>Forgets what is stored for a key, if anything is.</summary>
    public void Remove(string stage, CacheKey key)
    {
        try
        {
            File.Delete(EntryPath(stage, key));
        }
        catch (Exception exception) when (exception is DirectoryNotFoundException or IOException or UnauthorizedAccessException)
        {
            // It will be replaced or found out of use: an entry that stays does no harm.
        }
    }

    /// <summary>
    /// The path of a stored file, checked in full against its SHA-256, or null. The file belongs to the store: copy it, never change it.
    /// </summary>
    /// <inheritdoc cref="TryGet" path="/param"/>
    public string? TryGetFile(string stage, CacheKey key, out string? damage)
    {
        byte[]? reference = TryGet(stage, key, out damage);
        if (reference is null)
            return null;
        if (reference.Length != SHA256.HashSizeInBytes + sizeof(long))
        {
            damage = "header: the entry holds no reference to a file";
            return null;
        }

        ReadOnlySpan<byte> hash = reference.AsSpan(0, SHA256.HashSizeInBytes);
        long length = BinaryPrimitives.ReadInt64LittleEndian(reference.AsSpan(SHA256.HashSizeInBytes));
        string path = ContentPath(hash);
        damage = CheckFile(path, hash, length);
        return damage is null ? path : null;
    }

    /// <summary>Stores a copy of a file of any size for a key; reads it once and holds no more than a buffer of it in memory.</summary>
    /// <exception cref="MixedPrecisionException">The folder cannot be written.</exception>
    public void PutFile(string stage, CacheKey key, string sourcePath)
    {
        // The source is opened outside of the block: a source that is missing is no fault of the cache.
        using FileStream source = File.OpenRead(sourcePath);
        PutFile(stage, key, target => source.CopyTo(target, BufferLength));
    }

    /// <summary>Stores as a file what is written, without holding it in memory.</summary>
    /// <exception cref="MixedPrecisionException">The folder cannot be written.</exception>
    public void PutFile(string stage, CacheKey key, Action<Stream> write)
    {
        byte[] reference = new byte[SHA256.HashSizeInBytes + sizeof(long)];
        try
        {
            using var temporary = new TemporaryFile(Folder);
            using SHA256 sha = SHA256.Create();
            using (var hashing = new CryptoStream(temporary.Stream, sha, CryptoStreamMode.Write, leaveOpen: true))
            {
                write(hashing);
            }

            sha.Hash!.CopyTo(reference, 0);
            BinaryPrimitives.WriteInt64LittleEndian(reference.AsSpan(SHA256.HashSizeInBytes), temporary.Stream.Length);
            string target = ContentPath(reference.AsSpan(0, SHA256.HashSizeInBytes));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            temporary.MoveTo(target);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Errors.CacheNotWritable(Folder, exception.Message);
        }

        Put(stage, key, reference);
    }

    /// <summary>Where the entry of a key stands.</summary>
    internal string EntryPath(string stage, CacheKey key)
    {
        if (!IsStage(stage))
            throw new ArgumentException($"'{stage}' is no name of a stage.", nameof(stage));
        return Path.Combine(Folder, stage, key.Hex[..2], key.Hex);
    }

    private string ContentPath(ReadOnlySpan<byte> hash)
    {
        string hex = Convert.ToHexStringLower(hash);
        return Path.Combine(Folder, ContentFolder, hex[..2], hex);
    }

    /// <summary>Whether a stage may be called so: lower-case letters, digits and hyphens, and no folder of the store's own.</summary>
    internal static bool IsStage(string name) => name.Length > 0 && name != ContentFolder && name != TemporaryFile.FolderName && name.All(IsStageCharacter);

    private static bool IsStageCharacter(char character) => char.IsAsciiLetterLower(character) || char.IsAsciiDigit(character) || character == '-';

    private static byte[] ReadShared(string path)
    {
        using FileStream stream = OpenShared(path);
        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Notes that an entry was used: <see cref="StoreUpkeep"/> lets go what was not for long.</summary>
    private static void Touch(string path)
    {
        try
        {
            DateTime now = DateTime.UtcNow;
            if (now - File.GetLastWriteTimeUtc(path) > Grain)
                File.SetLastWriteTimeUtc(path, now);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // A store that only others may write: its entries are as old as they were written.
        }
    }

    /// <summary>Opened so that a writer may rename another entry onto this one meanwhile.</summary>
    internal static FileStream OpenShared(string path) =>
        new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);

    private static string? CheckFile(string path, ReadOnlySpan<byte> hash, long length)
    {
        try
        {
            using FileStream stream = OpenShared(path);
            if (stream.Length != length)
                return $"truncated: the file has {stream.Length} bytes where the entry states {length}";
            return SHA256.HashData(stream).AsSpan().SequenceEqual(hash) ? null : "checksum: the file differs from its SHA-256";
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return "missing: the file of the entry is gone";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return $"unreadable: {exception.Message}";
        }
    }
}
