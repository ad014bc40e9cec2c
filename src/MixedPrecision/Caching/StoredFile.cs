using System.Security.Cryptography;

namespace MixedPrecision.Caching;

/// <summary>A file of a <see cref="ContentStore"/>, found by the layout of its folder.</summary>
/// <param name="Stage">The stage, or <c>content</c> for a large file, which an entry refers to.</param>
/// <param name="Hash">Hash of the key, or of the large file's content; 64 lower-case hexadecimal digits.</param>
/// <param name="Path">Full path.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Used">When it was last written or read.</param>
internal sealed record StoredFile(string Stage, string Hash, string Path, long Bytes, DateTime Used)
{
    private const int HashDigits = 2 * SHA256.HashSizeInBytes;

    /// <summary>An entry that refers to a large file holds its hash and its length.</summary>
    private const int ReferenceLength = SHA256.HashSizeInBytes + sizeof(long);

    public bool IsContent => Stage == ContentStore.ContentFolder;

    /// <summary>Whether a file may stand at <c>{stage}/{ab}/{hash}</c>.</summary>
    public static bool IsPlace(string stage, string shard, string hash) =>
        (stage == ContentStore.ContentFolder || ContentStore.IsStage(stage)) && hash.Length == HashDigits && hash.All(char.IsAsciiHexDigitLower) && hash.StartsWith(shard, StringComparison.Ordinal) && shard.Length == 2;

    /// <summary>All files of a store, in the order of their stages and hashes; whatever else lies in the folder is none of it.</summary>
    public static IReadOnlyList<StoredFile> In(string folder) => !Directory.Exists(folder) ? [] :
    [
        .. from stage in Directory.EnumerateDirectories(folder)
           from shard in Directory.EnumerateDirectories(stage)
           from file in Directory.EnumerateFiles(shard)
           let name = (Stage: Name(stage), Shard: Name(shard), Hash: Name(file))
           where IsPlace(name.Stage, name.Shard, name.Hash)
           orderby name.Stage, name.Hash
           let info = new FileInfo(file)
           where info.Exists
           select new StoredFile(name.Stage, name.Hash, info.FullName, info.Length, info.LastWriteTimeUtc),
    ];

    /// <summary>Hash of the large file that an entry refers to; null where it may not, or is gone meanwhile.</summary>
    public string? Reference()
    {
        if (IsContent || Bytes != EntryFormat.HeaderLength + ReferenceLength)
            return null;
        try
        {
            using FileStream stream = ContentStore.OpenShared(Path);
            stream.Position = EntryFormat.HeaderLength;
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            return stream.ReadAtLeast(hash, hash.Length, throwOnEndOfStream: false) == hash.Length ? Convert.ToHexStringLower(hash) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Deletes it; false where it cannot be.</summary>
    public bool TryDelete()
    {
        try
        {
            File.Delete(Path);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string Name(string path) => System.IO.Path.GetFileName(path);
}
