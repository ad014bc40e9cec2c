namespace MixedPrecision.Diagnostics;

public static partial class Errors
{
    public static MixedPrecisionException CacheNotWritable(string folder, string reason) => new(
        Codes.CacheNotWritable,
        new Place(folder),
        $"The cache folder '{folder}' cannot be written: {reason.TrimEnd('.')}. It has to be a folder in which this user may create files, on a disk "
        + "with space left. Name another one by the property MixedPrecisionCacheDirectory or the option --cache.");

    public static MixedPrecisionException LockUnavailable(string path, string reason) => new(
        Codes.LockUnavailable,
        new Place(path),
        $"The lock that lets one run at a time do this work cannot be opened: {reason.TrimEnd('.')}. Its file '{path}' has to be readable, or its folder "
        + "writable, for this user. Mend the permissions; or name another folder, of a benchmark's lock by TMPDIR on Linux and macOS, of a policy's by the option --cache.");

    /// <param name="archive">The file, as the user named it.</param>
    /// <param name="reason">What is wrong with it, or with an entry of it.</param>
    public static MixedPrecisionException CacheArchiveInvalid(string archive, string reason) => new(
        Codes.CacheArchiveInvalid,
        new Place(archive),
        $"This is no archive of a cache that can be taken over: {Wording.EscapeWhole(reason).TrimEnd('.')}. Nothing of it was. An archive is what `mixed-precision cache export FILE` writes; export it again, and "
        + "copy it whole.");

    /// <param name="policy">The file that is there, as the user named it.</param>
    public static MixedPrecisionException PolicyExists(string policy) => new(
        Codes.PolicyExists,
        new Place(policy),
        "A policy was to be written here, and a file or folder stands there already, which is never replaced. Give another file by --output, or rename or delete the one that is there.");

    public static MixedPrecisionException OutputIsInput(string target, string input) => new(
        Codes.OutputOverwrites,
        new Place(target),
        (target == input ? "This file is read by the run" : $"This is the file '{input}', which is read by the run")
        + ", and the emitted file would replace it. Give another output folder, or another name as `output` in the policy.");

    /// <param name="manifest">The manifest that is there.</param>
    /// <param name="owner">The policy, or where the manifest names none the model, that it is of.</param>
    /// <param name="own">The same of this run.</param>
    public static MixedPrecisionException OutputOfAnother(string manifest, string owner, string own) => new(
        Codes.OutputOverwrites,
        new Place(manifest),
        $"This manifest and the model beside it were emitted for {Wording.Quote(owner)}, and would be replaced by those for {Wording.Quote(own)}. Give another output folder, or another "
        + "name as `output` in one of the policies; if the other is not wanted any more, delete its files.");

    public static MixedPrecisionException TemporaryFolderNotWritable(string folder, string reason) => new(
        Codes.TemporaryFolderNotWritable,
        new Place(folder),
        $"The temporary folder cannot be written: {reason.TrimEnd('.')}. It has to be a folder in which this user may create files, on a disk with space left. "
        + "Mend that, or name another one: by TMPDIR on Linux and macOS, by TEMP on Windows.");

    /// <param name="file">What was given as a manifest.</param>
    /// <param name="reason">What is wrong with it.</param>
    public static MixedPrecisionException ManifestInvalid(string file, string reason) => new(
        Codes.FileUnusable,
        new Place(file),
        $"This is no manifest that can be read: {Wording.EscapeWhole(reason).TrimEnd('.')}. A manifest is what `quantize` and `dotnet publish` write beside the model, as NAME.precision.json; "
        + "let the version that reads it write it anew.");

    /// <param name="place">The file, or none where the reason names it.</param>
    /// <param name="reason">What the operating system says.</param>
    public static MixedPrecisionException FileUnusable(Place place, string reason) => new(
        Codes.FileUnusable,
        place,
        $"A file cannot be read or written: {reason.TrimEnd('.')}. Let this user read what the policy names, make room on the disk, and look whether the disk or its "
        + "connection fails.");
}
