using System.Formats.Tar;
using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Pipeline;
using MixedPrecision.Reporting;

namespace MixedPrecision.Tests.Caching;

public sealed class StoreArchiveTests : IDisposable
{
    private static readonly CacheKey Small = CacheKey.Of(("name", "small"));
    private static readonly CacheKey Large = CacheKey.Of(("name", "large"));

    private readonly TemporaryFolder folder = new();
    private readonly ContentStore store;
    private readonly ContentStore other;

    public StoreArchiveTests()
    {
        store = new ContentStore(folder.Combine("cache"));
        other = new ContentStore(folder.Combine("other"));
        store.Put("solve", Small, "a plan"u8);
        store.PutFile("quantize", Large, stream => stream.Write(new byte[3_000_000]));
    }

    private string Archive => folder.Combine("cache.tar");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void WhatIsExportedIsImported()
    {
        CacheChange exported = Export();
        Assert.Equal((3, 0), (exported.Entries, exported.Damaged));
        CacheChange imported = Import();
        Assert.Equal((exported.Entries, exported.Bytes, 0), (imported.Entries, imported.Bytes, imported.Known));
        Assert.Equal("a plan"u8, other.TryGet("solve", Small, out _)!);
        Assert.Equal(3_000_000, new FileInfo(other.TryGetFile("quantize", Large, out _)!).Length);
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(other.Folder, "temporary")));

        // Again: nothing is new.
        Assert.Equal((0, 3), Import() is var again ? (again.Entries, again.Known) : default);
    }

    [Fact]
    public void EqualStoresGiveEqualArchives()
    {
        Export();
        byte[] first = File.ReadAllBytes(Archive);
        Import();
        Verbs.CacheExport(other.Folder, folder.Combine("second.tar"), TestContext.Current.CancellationToken);
        Assert.Equal(first, File.ReadAllBytes(folder.Combine("second.tar")));
    }

    /// <summary>What is known stays: a timing of this machine is not replaced by another's.</summary>
    [Fact]
    public void WhatIsThereIsKept()
    {
        other.Put("solve", Small, "another plan"u8);
        Export();
        Assert.Equal((2, 1), Import() is var imported ? (imported.Entries, imported.Known) : default);
        Assert.Equal("another plan"u8, other.TryGet("solve", Small, out _)!);
    }

    [Fact]
    public void DamagedEntriesAreLeftOut()
    {
        string entry = store.EntryPath("solve", Small);
        byte[] bytes = File.ReadAllBytes(entry);
        bytes[^1] ^= 1;
        File.WriteAllBytes(entry, bytes);
        Assert.Equal((2, 1), Export() is var exported ? (exported.Entries, exported.Damaged) : default);
        Import();
        Assert.Null(other.TryGet("solve", Small, out string? damage));
        Assert.Null(damage);
    }

    [Theory]
    [InlineData("../solve/aa/{hash}")]
    [InlineData("/solve/aa/{hash}")]
    [InlineData("solve/aa/../../{hash}")]
    [InlineData("solve/bb/{hash}")]
    [InlineData("solve/aa/{hash}0")]
    [InlineData("solve/aa/AA{hash}")]
    [InlineData("temporary/aa/{hash}")]
    [InlineData("sol ve/aa/{hash}")]
    [InlineData("solve\\aa\\{hash}")]
    [InlineData("model.onnx")]
    public void NamesThatAreNoFileOfAStoreAreRefused(string name) =>
        Refused(Sound().Append(new GnuTarEntry(TarEntryType.RegularFile, name.Replace("{hash}", new string('a', 64), StringComparison.Ordinal)) { DataStream = new MemoryStream(new byte[100]) }));

    [Theory]
    [InlineData(TarEntryType.SymbolicLink)]
    [InlineData(TarEntryType.HardLink)]
    public void LinksAreRefused(TarEntryType type) => Refused([new GnuTarEntry(type, $"solve/aa/{new string('a', 64)}") { LinkName = "/etc/passwd" }, .. Sound()]);

    /// <summary>Also the last of them, after the others were sound: nothing of the archive is taken.</summary>
    [Fact]
    public void ContentWithAnotherHashIsRefused()
    {
        Refused(Sound().Append(new GnuTarEntry(TarEntryType.RegularFile, $"content/aa/{new string('a', 64)}") { DataStream = new MemoryStream([1, 2, 3]) }));

        byte[] entry = File.ReadAllBytes(store.EntryPath("solve", Small));
        for (int position = 0; position < entry.Length; position += 7)
        {
            byte[] flipped = [.. entry];
            flipped[position] ^= 1;
            Refused([new GnuTarEntry(TarEntryType.RegularFile, $"solve/{Small.Hex[..2]}/{Small.Hex}") { DataStream = new MemoryStream(flipped) }]);
        }

        Refused([new GnuTarEntry(TarEntryType.RegularFile, $"solve/{Small.Hex[..2]}/{Small.Hex}") { DataStream = new MemoryStream(entry[..50]) }]);
        Refused([new GnuTarEntry(TarEntryType.RegularFile, $"calibrate/{Small.Hex[..2]}/{Small.Hex}") { DataStream = new MemoryStream(entry) }]);
    }

    [Fact]
    public void AnArchiveThatIsCutShortOrNoneIsRefused()
    {
        Export();
        byte[] whole = File.ReadAllBytes(Archive);
        foreach (int length in new[] { 0, 100, 512, 700, whole.Length / 2, whole.Length - 3000 })
        {
            File.WriteAllBytes(Archive, whole[..length]);
            Refused();
        }

        File.WriteAllText(Archive, new string('x', 2000));
        Refused();
        File.Delete(Archive);
        Assert.Equal(Codes.FileUnusable, Assert.Throws<MixedPrecisionException>(Import).Diagnostic.Code);
    }

    private CacheChange Export() => Verbs.CacheExport(store.Folder, Archive, TestContext.Current.CancellationToken);

    private CacheChange Import() => Verbs.CacheImport(other.Folder, Archive, TestContext.Current.CancellationToken);

    private IEnumerable<TarEntry> Sound()
    {
        string path = store.EntryPath("solve", Small);
        yield return new GnuTarEntry(TarEntryType.RegularFile, $"solve/{Small.Hex[..2]}/{Small.Hex}") { DataStream = new MemoryStream(File.ReadAllBytes(path)) };
    }

    private void Refused(IEnumerable<TarEntry> entries)
    {
        using (FileStream stream = File.Create(Archive))
        using (var tar = new TarWriter(stream, TarEntryFormat.Gnu))
        {
            foreach (TarEntry entry in entries)
            {
                tar.WriteEntry(entry);
            }
        }

        Refused();
    }

    private void Refused()
    {
        Diagnostic found = Assert.Throws<MixedPrecisionException>(Import).Diagnostic;
        Assert.Equal((Codes.CacheArchiveInvalid, Archive), (found.Code, found.Place.File));
        Assert.False(Directory.Exists(other.Folder));
    }
}
