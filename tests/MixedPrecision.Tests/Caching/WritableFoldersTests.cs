using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Tests.Caching;

public sealed class WritableFoldersTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void TryingMakesNoFolderAndLeavesNoFile()
    {
        WritableFolders.Check(folder.Combine("a/b/cache"), folder.Combine("c/out"));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Combine("")));
    }

    [Fact]
    public void AFileOnTheWayIsNamed()
    {
        File.WriteAllText(folder.Combine("file"), "");
        string beneath = folder.Combine("file/a/b");

        var cache = Assert.Throws<MixedPrecisionException>(() => WritableFolders.Check(beneath, null));
        Assert.Equal((Codes.CacheNotWritable, beneath), (cache.Diagnostic.Code, cache.Diagnostic.Place.File));
        Assert.Contains($"'{folder.Combine("file")}' is a file", cache.Diagnostic.Message, StringComparison.Ordinal);
        var output = Assert.Throws<MixedPrecisionException>(() => WritableFolders.Check(null, beneath));
        Assert.Equal((Codes.OutputNotWritable, beneath), (output.Diagnostic.Code, output.Diagnostic.Place.File));
    }
}
