namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    private const int HashShown = 12;

    /// <summary>MPB8008: a lock is required.</summary>
    public static MixedPrecisionException LockMissing(string path, string policy) => new(
        Codes.LockMissing,
        new Place(path),
        $"The policy {Wording.Quote(policy)} has to be locked (MixedPrecisionLocked, --locked), and there is no such lock. {Again(path)} Then commit what it writes.");

    /// <summary>MPB8009: the files of a lock are damaged, or no lock.</summary>
    /// <param name="path">The file.</param>
    /// <param name="reason">What is wrong with it, a clause.</param>
    public static MixedPrecisionException LockInvalid(string path, string reason) => new(
        Codes.LockInvalid,
        new Place(path),
        $"This file of a lock cannot be used: {reason.ReplaceLineEndings(" ").TrimEnd('.')}. Restore the files that were committed together (NAME.precision.lock.json, and NAME.precision.lock.bin where there is one; as binary files, without "
        + $"a change of line ends), or make them anew. {Again(path)}");

    /// <summary>MPB8010: the model's file has changed.</summary>
    public static MixedPrecisionException LockModelDrift(Place place, string path, string model, string locked, string found) => new(
        Codes.LockModelDrift,
        place,
        $"The model {Wording.Quote(model)} has changed since it was locked: found is SHA-256 {found[..HashShown]}…, and {Wording.Quote(path)} is of {locked[..HashShown]}…. Restore the model; or, if it is meant to be another, lock again. {Again(path)}");

    /// <summary>MPB8011: the policy says something else.</summary>
    /// <param name="place">Of the first difference.</param>
    /// <param name="path">The lock.</param>
    /// <param name="differences">Key, what the lock has and what was found, in quotes.</param>
    public static MixedPrecisionException LockPolicyDrift(Place place, string path, IReadOnlyList<(string Key, string Locked, string Found)> differences)
    {
        const int Named = 5;
        string list = string.Join("; ", differences.Take(Named).Select(d => $"{Wording.Escape(d.Key)}: found {d.Found}, locked {d.Locked}")) + (differences.Count > Named ? $"; and {differences.Count - Named} more" : "");
        return new MixedPrecisionException(
            Codes.LockPolicyDrift, place, $"The policy says something else than when {Wording.Quote(path)} was made: {list}. Take that back; or, if it is meant, lock again. {Again(path)}");
    }

    /// <summary>MPB8012: data or a loss that are there have changed.</summary>
    public static MixedPrecisionException LockDataDrift(Place place, string path, string file, string locked, string found) => new(
        Codes.LockDataDrift,
        place,
        $"{Wording.Quote(file)} has changed since it was locked: found is SHA-256 {Short(found)}, and {Wording.Quote(path)} rests on {Short(locked)}. Restore it (a locked build does not need it at all); or, if it is meant to be another, "
        + $"lock again. {Again(path)}");

    /// <summary>MPB8013: this version of the tool would write another file.</summary>
    /// <param name="path">The lock.</param>
    /// <param name="reason">What differs, a clause.</param>
    public static MixedPrecisionException LockOfOtherVersion(string path, string reason) => new(
        Codes.LockOfOtherVersion,
        new Place(path),
        $"The lock belongs to another version of the tool: {reason}. Build with the version that made it; or lock again with this one. {Again(path)}");

    /// <summary>MPB8014: model and policy are those of the lock, and the plan does not come out as it was.</summary>
    /// <param name="place">The lock, with the layer.</param>
    /// <param name="locked">What the lock has, a clause.</param>
    /// <param name="found">What was found, a clause.</param>
    public static MixedPrecisionException LockPlanDrift(Place place, string locked, string found) => new(
        Codes.LockPlanDrift,
        place,
        $"The locked plan does not come out as it was: in the lock {locked}, and {found}. The lock was edited, or this version of the tool writes another file: build with the version that made it, or lock again. {Again(place.File!)} "
        + "If version and lock are the same, report this.");

    private static string Again(string path) => $"Run 'mixed-precision lock POLICY' with the policy beside {Wording.Quote(path)}.";

    private static string Short(string hash) => hash.Length > HashShown ? hash[..HashShown] + "…" : hash;
}
