using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Tests.Caching;

public sealed class ContentStoreFileTests : IDisposable
{
    private const string Stage = "quantize";
    private static readonly CacheKey Key = CacheKey.Of(("model", "m"));

    private readonly TemporaryFolder folder = new();
    private readonly ContentStore store;
    private readonly string source;

    public ContentStoreFileTests()
    {
        store = new ContentStore(folder.Combine("cache"));
        source = folder.Combine("source");
        // Longer than the buffer of the copy, and no multiple of it.
        byte[] content = new byte[(1 << 21) + 12345];
        new Random(1).NextBytes(content);
        File.WriteAllBytes(source, content);
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ReturnsAFileOfEqualContent()
    {
        Assert.Null(store.TryGetFile(Stage, Key, out string? damage));
        Assert.Null(damage);
        store.PutFile(Stage, Key, source);
        string? path = store.TryGetFile(Stage, Key, out damage);
        Assert.Null(damage);
        Assert.Equal(File.ReadAllBytes(source), File.ReadAllBytes(path!));
    }

    [Fact]
    public void EqualContentIsKeptOnce()
    {
        CacheKey other = CacheKey.Of(("model", "n"));
        store.PutFile(Stage, Key, source);
        store.PutFile(Stage, other, source);
        Assert.Equal(store.TryGetFile(Stage, Key, out _), store.TryGetFile(Stage, other, out _));
    }

    [Fact]
    public void DamageOfTheFileIsFoundAndReplaced()
    {
        store.PutFile(Stage, Key, source);
        string path = store.TryGetFile(Stage, Key, out _)!;

        using (FileStream stream = File.OpenWrite(path))
        {
            stream.Position = stream.Length / 2;
            int original = File.ReadAllBytes(source)[stream.Position];
            stream.WriteByte((byte)(original ^ 1));
        }

        AssertDamaged("checksum");
        File.WriteAllText(path, "short");
        AssertDamaged("truncated");
        File.Delete(path);
        AssertDamaged("missing");

        store.PutFile(Stage, Key, source);
        Assert.Equal(path, store.TryGetFile(Stage, Key, out string? damage));
        Assert.Null(damage);
    }

    [Fact]
    public void DamageOfTheEntryIsFound()
    {
        store.PutFile(Stage, Key, source);
        File.WriteAllText(store.EntryPath(Stage, Key), "short");
        AssertDamaged("truncated");
        store.Put(Stage, Key, "content that refers to no file"u8);
        AssertDamaged("header");
    }

    [Fact]
    public void MissingSourceIsNoFaultOfTheCache() =>
        Assert.Throws<FileNotFoundException>(() => store.PutFile(Stage, Key, folder.Combine("absent")));

    [Fact]
    public void UnwritableFolderIsAnError()
    {
        var blocked = new ContentStore(Path.Combine(source, "cache"));
        var error = Assert.Throws<MixedPrecisionException>(() => blocked.PutFile(Stage, Key, source));
        Assert.Equal(Codes.CacheNotWritable, error.Diagnostic.Code);
    }

    private void AssertDamaged(string reason)
    {
        Assert.Null(store.TryGetFile(Stage, Key, out string? damage));
        Assert.StartsWith(reason, damage, StringComparison.Ordinal);
    }
}
