using MixedPrecision.Caching;
using MixedPrecision.Diagnostics;
using MixedPrecision.Reporting;

namespace MixedPrecision.Pipeline;

/// <summary>What can be done with a cache.</summary>
public static partial class Verbs
{
    /// <summary>What it holds.</summary>
    public static CacheContents CacheInfo(string folder)
    {
        IReadOnlyList<StageContents> stages = StoreUpkeep.Contents(folder);
        return new CacheContents(folder, stages, stages.Sum(s => s.Entries), stages.Sum(s => s.Bytes));
    }

    /// <summary>Lets go what was not used for long, or longest: see <see cref="StoreUpkeep.Prune"/>.</summary>
    public static CacheChange CachePrune(string folder, TimeSpan? olderThan, long? keep, DateTime now) => Removed(folder, StoreUpkeep.Prune(folder, olderThan, keep, now));

    /// <summary>Lets all go.</summary>
    public static CacheChange CacheClear(string folder) => Removed(folder, StoreUpkeep.Clear(folder));

    /// <summary>Writes all of it into one file.</summary>
    /// <exception cref="MixedPrecisionException">MPB8004: the file cannot be written.</exception>
    public static CacheChange CacheExport(string folder, string archive, CancellationToken cancel)
    {
        StoreTransfer moved = new(0, 0, 0);
        OutputFile.Write(archive, stream => moved = StoreArchive.Export(folder, stream, cancel), makesFolder: true);
        return new CacheChange(folder, "exported", moved.Entries, moved.Bytes) { Damaged = moved.LeftOut, Archive = archive };
    }

    /// <summary>Takes over what an archive holds: see <see cref="StoreArchive.Import"/>.</summary>
    public static CacheChange CacheImport(string folder, string archive, CancellationToken cancel)
    {
        StoreTransfer moved = StoreArchive.Import(folder, archive, cancel);
        return new CacheChange(folder, "imported", moved.Entries, moved.Bytes) { Known = moved.LeftOut, Archive = archive };
    }

    private static CacheChange Removed(string folder, StoreRemoval removal) => new(folder, "removed", removal.Entries, removal.Bytes)
    {
        LeftEntries = removal.LeftEntries,
        LeftBytes = removal.LeftBytes,
        Failed = removal.Failed,
    };
}
