using MixedPrecision.Caching;

namespace MixedPrecision.Tests.Caching;

public sealed class StoreUpkeepTests : IDisposable
{
    private static readonly DateTime Now = DateTime.UtcNow;

    private readonly TemporaryFolder folder = new();
    private readonly ContentStore store;

    public StoreUpkeepTests() => store = new ContentStore(folder.Combine("cache"));

    public void Dispose() => folder.Dispose();

    [Fact]
    public void AStoreThatIsNotThereHoldsNothing()
    {
        Assert.Empty(StoreUpkeep.Contents(store.Folder));
        Assert.Equal(new StoreRemoval(0, 0, 0, 0, 0), StoreUpkeep.Clear(store.Folder));
        Assert.False(Directory.Exists(store.Folder));
    }

    [Fact]
    public void ContentsAreCountedByStageAndWhatIsNotTheStoresIsNot()
    {
        Put("solve", 1, 100);
        Put("solve", 2, 300);
        PutFile("quantize", 3, 1000);
        File.WriteAllText(Path.Combine(store.Folder, "solve", "note.txt"), "a person's");
        Directory.CreateDirectory(Path.Combine(store.Folder, "locks"));
        File.WriteAllText(Path.Combine(store.Folder, "locks", new string('a', 64)), "");

        Assert.Equal(
            [new StageContents("content", 1, 1000), new StageContents("quantize", 1, EntryFormat.HeaderLength + 40), new StageContents("solve", 2, (2 * EntryFormat.HeaderLength) + 400)],
            StoreUpkeep.Contents(store.Folder));

        StoreRemoval removal = StoreUpkeep.Clear(store.Folder);
        Assert.Equal((4, 0, 0L, 0), (removal.Entries, removal.LeftEntries, removal.LeftBytes, removal.Failed));
        Assert.Empty(StoreUpkeep.Contents(store.Folder));
        Assert.True(File.Exists(Path.Combine(store.Folder, "solve", "note.txt")));
        Assert.True(File.Exists(Path.Combine(store.Folder, "locks", new string('a', 64))));
    }

    [Fact]
    public void WhatWasNotUsedForLongGoesWithItsFile()
    {
        Put("solve", 1, 100, days: 40);
        Put("solve", 2, 100, days: 10);
        PutFile("quantize", 3, 1000, days: 40);
        PutFile("quantize", 4, 2000, days: 10);

        StoreRemoval removal = StoreUpkeep.Prune(store.Folder, TimeSpan.FromDays(30), null, Now);

        Assert.Equal((3, 3), (removal.Entries, removal.LeftEntries));
        Assert.Null(store.TryGet("solve", Key(1), out _));
        Assert.NotNull(store.TryGet("solve", Key(2), out _));
        Assert.Null(store.TryGetFile("quantize", Key(3), out string? damage));
        Assert.Null(damage);
        Assert.NotNull(store.TryGetFile("quantize", Key(4), out _));
    }

    [Fact]
    public void WhatIsReadIsUsed()
    {
        Put("solve", 1, 100, days: 40);
        Put("solve", 2, 100, days: 40);
        Assert.NotNull(store.TryGet("solve", Key(1), out _));

        Assert.Equal(1, StoreUpkeep.Prune(store.Folder, TimeSpan.FromDays(30), null, Now).Entries);
        Assert.NotNull(store.TryGet("solve", Key(1), out _));
        Assert.Null(store.TryGet("solve", Key(2), out _));
    }

    [Fact]
    public void TheOldestGoUntilTheRestIsSmallEnough()
    {
        for (int i = 1; i <= 5; i++)
        {
            Put("solve", i, 1000, days: i);
        }

        StoreRemoval removal = StoreUpkeep.Prune(store.Folder, null, 2500, Now);
        Assert.Equal((3, 2), (removal.Entries, removal.LeftEntries));
        Assert.InRange(removal.LeftBytes, 1, 2500);
        Assert.NotNull(store.TryGet("solve", Key(2), out _));
        Assert.Null(store.TryGet("solve", Key(3), out _));
        Assert.Equal(0, StoreUpkeep.Prune(store.Folder, null, 2500, Now).Entries);
    }

    /// <summary>A build may have its path and open it next.</summary>
    [Fact]
    public void WhatWasUsedWithinTheHourStays()
    {
        Put("solve", 1, 1000);
        PutFile("quantize", 2, 1000);
        Assert.Equal(0, StoreUpkeep.Prune(store.Folder, TimeSpan.Zero, 0, Now).Entries);
    }

    [Fact]
    public void AFileThatTwoEntriesShareStaysWithTheSecond()
    {
        PutFile("quantize", 1, 1000, days: 40);
        PutFile("quantize", 2, 1000, days: 10);
        Set(store.EntryPath("quantize", Key(1)), days: 40);

        Assert.Equal(1, StoreUpkeep.Prune(store.Folder, TimeSpan.FromDays(30), null, Now).Entries);
        Assert.NotNull(store.TryGetFile("quantize", Key(2), out string? damage));
        Assert.Null(damage);
    }

    [Fact]
    public void AFileThatNothingRefersToGoes()
    {
        PutFile("quantize", 1, 1000, days: 3);
        File.Delete(store.EntryPath("quantize", Key(1)));
        Assert.Equal((1, 0), StoreUpkeep.Prune(store.Folder, TimeSpan.FromDays(30), null, Now) is var removal ? (removal.Entries, removal.LeftEntries) : default);
    }

    private static CacheKey Key(int number) => CacheKey.Of().With("number", number);

    private static void Set(string path, int days) => File.SetLastWriteTimeUtc(path, Now - TimeSpan.FromDays(days));

    private void Put(string stage, int key, int bytes, int days = 0)
    {
        store.Put(stage, Key(key), new byte[bytes]);
        Set(store.EntryPath(stage, Key(key)), days);
    }

    /// <summary>Equal sizes are equal contents.</summary>
    private void PutFile(string stage, int key, int bytes, int days = 0)
    {
        store.PutFile(stage, Key(key), stream => stream.Write(new byte[bytes]));
        Set(store.TryGetFile(stage, Key(key), out _)!, days);
        Set(store.EntryPath(stage, Key(key)), days);
    }
}
