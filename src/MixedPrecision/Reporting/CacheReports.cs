using MixedPrecision.Caching;

namespace MixedPrecision.Reporting;

/// <summary>What a cache holds.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Stages">Files and bytes by stage; <c>content</c> are large files, which entries of stages refer to.</param>
/// <param name="Entries">Files of all stages.</param>
/// <param name="Bytes">Their size.</param>
public sealed record CacheContents(string Folder, IReadOnlyList<StageContents> Stages, int Entries, long Bytes)
{
    public string ToJson() => ReportJson.Write(this);

    /// <summary>For people, the largest stage first.</summary>
    public IEnumerable<string> ToLines() =>
    [
        $"{Folder}: {Text(Entries, Bytes)}",
        .. ReportText.Table([.. Stages.OrderByDescending(s => s.Bytes).ThenBy(s => s.Stage, StringComparer.Ordinal).Select(s => new[] { s.Stage, ReportText.Count(s.Entries, "file"), ReportText.Bytes(s.Bytes) })]),
    ];

    internal static string Text(int entries, long bytes) => $"{ReportText.Count(entries, "file")}, {ReportText.Bytes(bytes)}";
}

/// <summary>What was done to a cache.</summary>
/// <param name="Folder">Its folder.</param>
/// <param name="Done">"removed", "exported" or "imported".</param>
/// <param name="Entries">Files to which that was done.</param>
/// <param name="Bytes">Their size.</param>
public sealed record CacheChange(string Folder, string Done, int Entries, long Bytes)
{
    /// <summary>Removed: what stays.</summary>
    public int? LeftEntries { get; init; }

    /// <summary>Removed: size of what stays.</summary>
    public long? LeftBytes { get; init; }

    /// <summary>Removed: files of those that stay which should have gone and could not be deleted.</summary>
    public int? Failed { get; init; }

    /// <summary>Exported: files that were left out since they are damaged.</summary>
    public int? Damaged { get; init; }

    /// <summary>Imported: files that were there already.</summary>
    public int? Known { get; init; }

    /// <summary>Exported or imported: the archive.</summary>
    public string? Archive { get; init; }

    public string ToJson() => ReportJson.Write(this);

    /// <summary>For people.</summary>
    public IEnumerable<string> ToLines() =>
    [
        $"{Folder}: {CacheContents.Text(Entries, Bytes)} {Done}{(Archive is null ? "" : $" {(Done == "exported" ? "to" : "from")} {Archive}")}"
            + (LeftEntries is { } left ? $"; {CacheContents.Text(left, LeftBytes ?? 0)} left" : "")
            + (Failed is > 0 and int failed ? $", of which {ReportText.Count(failed)} could not be deleted" : "")
            + (Damaged is > 0 and int damaged ? $"; {ReportText.Count(damaged, "damaged file")} left out" : "")
            + (Known is > 0 and int known ? $"; {ReportText.Count(known)} were there already" : ""),
    ];
}
