namespace MixedPrecision.Caching;

/// <summary>What a stage has in a store.</summary>
/// <param name="Stage">The stage; <c>content</c> for large files, which entries of stages refer to.</param>
/// <param name="Entries">How many files.</param>
/// <param name="Bytes">Their size.</param>
public sealed record StageContents(string Stage, int Entries, long Bytes);

/// <summary>What went, and what stays.</summary>
/// <param name="Entries">Files that went.</param>
/// <param name="Bytes">Their size.</param>
/// <param name="LeftEntries">Files that stay.</param>
/// <param name="LeftBytes">Their size.</param>
/// <param name="Failed">Of those that stay, the ones that should have gone and could not be deleted.</param>
public sealed record StoreRemoval(int Entries, long Bytes, int LeftEntries, long LeftBytes, int Failed);

/// <summary>Looks into a store, and lets go what is in it. Builds may use it meanwhile: what goes is computed again.</summary>
public static class StoreUpkeep
{
    /// <summary>What was used as lately may be in a build's hands, which has its path and opens it soon.</summary>
    private static readonly TimeSpan Recent = TimeSpan.FromHours(1);

    /// <summary>Files and bytes by stage, in the order of the stages' names.</summary>
    public static IReadOnlyList<StageContents> Contents(string folder) =>
        [.. StoredFile.In(folder).GroupBy(f => f.Stage).Select(g => new StageContents(g.Key, g.Count(), g.Sum(f => f.Bytes)))];

    /// <summary>Lets all go.</summary>
    public static StoreRemoval Clear(string folder) => Remove(StoredFile.In(folder), _ => true);

    /// <summary>Lets go what was not used for long, then what was not used for longest until the rest is small enough. What was used within the last hour stays.</summary>
    /// <param name="olderThan">What was not used for as long goes; null: age alone decides on nothing.</param>
    /// <param name="keep">Bytes that may stay; null: any number.</param>
    /// <param name="now">The time, in UTC.</param>
    public static StoreRemoval Prune(string folder, TimeSpan? olderThan, long? keep, DateTime now)
    {
        IReadOnlyList<StoredFile> files = StoredFile.In(folder);
        Dictionary<string, StoredFile> contents = files.Where(f => f.IsContent).ToDictionary(f => f.Hash);
        (StoredFile Entry, StoredFile? Content)[] entries = [.. files.Where(f => !f.IsContent).Select(f => (f, f.Reference() is { } hash ? contents.GetValueOrDefault(hash) : null))];
        Dictionary<string, int> references = entries.Where(e => e.Content is not null).GroupBy(e => e.Content!.Hash).ToDictionary(g => g.Key, g => g.Count());

        // Nothing refers to it: its entry was replaced, or is about to be written.
        HashSet<StoredFile> going = [.. contents.Values.Where(c => !references.ContainsKey(c.Hash) && now - c.Used > Recent)];
        long left = files.Sum(f => f.Bytes) - going.Sum(f => f.Bytes);
        foreach ((StoredFile entry, StoredFile? content) in entries.Where(e => now - e.Entry.Used > Recent).OrderBy(e => e.Entry.Used).ThenBy(e => e.Entry.Path, StringComparer.Ordinal))
        {
            bool isOld = olderThan is { } age && now - entry.Used > age;
            if (!isOld && !(keep is { } most && left > most))
            {
                break;
            }

            going.Add(entry);
            left -= entry.Bytes;
            if (content is not null && --references[content.Hash] == 0)
            {
                going.Add(content);
                left -= content.Bytes;
            }
        }

        return Remove(files, going.Contains);
    }

    /// <summary>Entries before what they refer to, so that none is left that lacks its file. Folders stay: a writer may have made one for its entry.</summary>
    private static StoreRemoval Remove(IReadOnlyList<StoredFile> files, Func<StoredFile, bool> isGoing)
    {
        StoredFile[] going = [.. files.Where(isGoing).OrderBy(f => f.IsContent)];
        StoredFile[] gone = [.. going.Where(f => f.TryDelete())];
        return new StoreRemoval(gone.Length, gone.Sum(f => f.Bytes), files.Count - gone.Length, files.Sum(f => f.Bytes) - gone.Sum(f => f.Bytes), going.Length - gone.Length);
    }
}
