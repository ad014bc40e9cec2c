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
        $"The lock that lets one benchmark run at a time cannot be opened: {reason.TrimEnd('.')}. Its file '{path}' has to be readable, or its folder "
        + "writable, for this user. Mend the permissions, or on Linux and macOS set TMPDIR to another folder.");
}
