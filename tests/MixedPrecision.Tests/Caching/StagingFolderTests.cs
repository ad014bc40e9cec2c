using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Tests.Caching;

public sealed class StagingFolderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Output => folder.Combine("out");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void FilesReachTheirPlacesWhenTheyAreShipped()
    {
        Directory.CreateDirectory(Output);
        File.WriteAllText(Path.Combine(Output, "a"), "old");
        using (StagingFolder staging = StagingFolder.In(Output))
        {
            File.WriteAllText(Path.Combine(staging.Folder, "a"), "new");
            File.WriteAllText(Path.Combine(staging.Folder, "left"), "over");
            Assert.Equal("old", File.ReadAllText(Path.Combine(Output, "a")));
            Assert.Equal([Path.Combine(Output, "a")], staging.Ship([Path.Combine(staging.Folder, "a")]));
        }

        Assert.Equal("new", File.ReadAllText(Path.Combine(Output, "a")));
        Assert.Equal([Path.Combine(Output, "a")], Directory.GetFileSystemEntries(Output));
    }

    [Fact]
    public void AFailureLeavesNothing()
    {
        using (StagingFolder staging = StagingFolder.In(Output))
            File.WriteAllText(Path.Combine(staging.Folder, "a"), "half");
        Assert.False(Directory.Exists(Output));
    }

    [Fact]
    public void AnotherRunsFilesStay()
    {
        using (StagingFolder first = StagingFolder.In(Output))
        using (StagingFolder second = StagingFolder.In(Output))
        {
            first.Dispose();
            Assert.True(Directory.Exists(second.Folder));
        }
    }

    [Fact]
    public void WhatARunThatWasKilledLeftGoesAfterSomeDays()
    {
        string[] left = [Path.Combine(Output, ".mixed-precision-old"), Path.Combine(Output, ".mixed-precision-new")];
        foreach (string path in left)
            Directory.CreateDirectory(path);
        Directory.SetLastWriteTimeUtc(left[0], DateTime.UtcNow.AddDays(-8));

        StagingFolder.In(Output).Dispose();

        Assert.Equal([left[1]], Directory.GetFileSystemEntries(Output));
    }

    [Fact]
    public void AFolderThatCannotBeMadeIsAnError()
    {
        File.WriteAllText(Output, "a file");
        var error = Assert.Throws<MixedPrecisionException>(() => StagingFolder.In(Output));
        Assert.Equal(Codes.OutputNotWritable, error.Diagnostic.Code);
    }
}
