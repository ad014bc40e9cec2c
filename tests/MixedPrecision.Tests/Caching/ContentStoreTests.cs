using System.Text;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Tests.Caching;

public sealed class ContentStoreTests : IDisposable
{
    private const string Stage = "calibrate";
    private static readonly CacheKey Key = CacheKey.Of(("model", "m"));
    private static readonly byte[] Content = Encoding.UTF8.GetBytes("the content of an entry");

    private readonly TemporaryFolder folder = new();
    private readonly ContentStore store;

    public ContentStoreTests() => store = new ContentStore(folder.Combine("cache"));

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ReturnsWhatWasPut()
    {
        store.Put(Stage, Key, Content);
        Assert.Equal(Content, store.TryGet(Stage, Key, out string? damage));
        Assert.Null(damage);
    }

    [Fact]
    public void EmptyContentIsContent()
    {
        store.Put(Stage, Key, []);
        Assert.Empty(store.TryGet(Stage, Key, out _)!);
    }

    [Fact]
    public void AbsentIsNotDamaged()
    {
        Assert.Null(store.TryGet(Stage, Key, out string? damage));
        Assert.Null(damage);
        store.Put(Stage, Key, Content);
        Assert.Null(store.TryGet("solve", Key, out damage));
        Assert.Null(damage);
    }

    [Fact]
    public void LastContentStands()
    {
        store.Put(Stage, Key, "old"u8);
        store.Put(Stage, Key, Content);
        Assert.Equal(Content, store.TryGet(Stage, Key, out _));
    }

    [Fact]
    public void EveryFlippedByteIsDamageAndIsReplaced()
    {
        store.Put(Stage, Key, Content);
        byte[] sound = File.ReadAllBytes(store.EntryPath(Stage, Key));
        for (int position = 0; position < sound.Length; position++)
        {
            byte[] entry = [.. sound];
            entry[position] ^= 0x10;
            File.WriteAllBytes(store.EntryPath(Stage, Key), entry);
            Assert.Null(store.TryGet(Stage, Key, out string? damage));
            Assert.StartsWith(ExpectedReason(position), damage, StringComparison.Ordinal);
        }

        store.Put(Stage, Key, Content);
        Assert.Equal(Content, store.TryGet(Stage, Key, out _));
    }

    [Fact]
    public void EveryTruncationIsDamage()
    {
        store.Put(Stage, Key, Content);
        byte[] sound = File.ReadAllBytes(store.EntryPath(Stage, Key));
        for (int length = 0; length < sound.Length; length++)
        {
            File.WriteAllBytes(store.EntryPath(Stage, Key), sound[..length]);
            Assert.Null(store.TryGet(Stage, Key, out string? damage));
            Assert.StartsWith("truncated", damage, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void TrailingBytesAreDamage()
    {
        store.Put(Stage, Key, Content);
        File.AppendAllText(store.EntryPath(Stage, Key), "x");
        Assert.Null(store.TryGet(Stage, Key, out string? damage));
        Assert.StartsWith("header", damage, StringComparison.Ordinal);
    }

    [Fact]
    public void EntryInAnotherPlaceIsDamage()
    {
        CacheKey other = CacheKey.Of(("model", "n"));
        store.Put(Stage, Key, Content);
        store.Put(Stage, other, Content);
        store.Put("solve", Key, Content);
        File.Copy(store.EntryPath(Stage, Key), store.EntryPath(Stage, other), overwrite: true);
        File.Copy(store.EntryPath(Stage, Key), store.EntryPath("solve", Key), overwrite: true);
        Assert.Null(store.TryGet(Stage, other, out string? damage));
        Assert.StartsWith("wrong key", damage, StringComparison.Ordinal);
        Assert.Null(store.TryGet("solve", Key, out damage));
        Assert.StartsWith("wrong key", damage, StringComparison.Ordinal);
    }

    [Fact]
    public void EntryThatIsNoFileIsDamage()
    {
        Directory.CreateDirectory(store.EntryPath(Stage, Key));
        Assert.Null(store.TryGet(Stage, Key, out string? damage));
        Assert.StartsWith("unreadable", damage, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("content")]
    [InlineData("temporary")]
    public void StageIsAPlainName(string stage) => Assert.Throws<ArgumentException>(() => store.Put(stage, Key, Content));

    [Fact]
    public void WritingLeavesNoTemporaryFile()
    {
        store.Put(Stage, Key, Content);
        Assert.Empty(Directory.GetFiles(folder.Combine("cache", "temporary")));
    }

    [Fact]
    public void AbandonedTemporaryFilesAreDeletedAndRecentOnesKept()
    {
        Directory.CreateDirectory(folder.Combine("cache", "temporary"));
        string old = folder.Combine("cache", "temporary", "old");
        string recent = folder.Combine("cache", "temporary", "recent");
        File.WriteAllText(old, "");
        File.WriteAllText(recent, "");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddDays(-3));
        store.Put(Stage, Key, Content);
        Assert.False(File.Exists(old));
        Assert.True(File.Exists(recent));
    }

    [Fact]
    public void UnwritableFolderIsAnErrorThatNamesTheOption()
    {
        File.WriteAllText(folder.Combine("file"), "");
        var blocked = new ContentStore(folder.Combine("file", "cache"));
        var error = Assert.Throws<MixedPrecisionException>(() => blocked.Put(Stage, Key, Content));
        Assert.Equal(Codes.CacheNotWritable, error.Diagnostic.Code);
        Assert.Contains("MixedPrecisionCacheDirectory", error.Message, StringComparison.Ordinal);
        Assert.Contains("--cache", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WritersAndReadersOfOneKeyShareTheStore()
    {
        byte[] content = new byte[100_000];
        new Random(1).NextBytes(content);
        Parallel.For(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 8 }, index =>
        {
            var own = new ContentStore(folder.Combine("cache"));
            if (index % 4 == 0)
                own.Put(Stage, Key, content);
            byte[]? found = own.TryGet(Stage, Key, out string? damage);
            Assert.Null(damage);
            if (index % 4 == 0 || found is not null)
                Assert.Equal(content, found);
        });
    }

    [Fact]
    public void DefaultFolderIsTheUsersCache()
    {
        string path = ContentStore.DefaultFolder();
        Assert.True(Path.IsPathFullyQualified(path));
        Assert.Equal("mixed-precision", Path.GetFileName(path));
    }

    /// <summary>Regions of an entry: mark 8, identity 32, length 8, checksum 32, content.</summary>
    private static string ExpectedReason(int position) => position switch
    {
        < 8 => "header",
        < 40 => "wrong key",
        40 => Content.Length >= (Content.Length ^ 0x10) ? "header" : "truncated",
        < 48 => "truncated",
        _ => "checksum",
    };
}
