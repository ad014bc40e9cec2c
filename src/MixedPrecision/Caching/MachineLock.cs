using System.Diagnostics;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Caching;

/// <summary>
/// An exclusive lock among the processes of a machine, so that one benchmark runs at a time, and one run of a policy. It is a lock of the operating
/// system on an open file: it ends with the process that holds it, also on a crash. Dispose to release.
/// </summary>
public sealed class MachineLock : IDisposable
{
    /// <summary>What a wait for a benchmark is called.</summary>
    internal const string Waiting = "waiting for another benchmark on this machine to end";

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>A wait shorter than this is not worth telling: benchmarks of two builds take turns.</summary>
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(1);

    private readonly FileStream file;

    private MachineLock(FileStream file) => this.file = file;

    /// <summary>Waits until the lock is free, and takes it.</summary>
    /// <param name="cancellation">Ends the wait with an <see cref="OperationCanceledException"/>.</param>
    /// <param name="waiting">Told once, in words for the user, when the wait is not short: another process holds the lock.</param>
    /// <exception cref="MixedPrecisionException">The file of the lock cannot be opened.</exception>
    public static MachineLock Acquire(CancellationToken cancellation, Action<string>? waiting = null) =>
        Acquire(DefaultPath(), cancellation, waiting, Waiting);

    /// <summary>
    /// The same for one policy: of several runs that share a cache folder (apps that refer to one library, runtimes of one app) the first does the
    /// work, and the others wait and then find it done.
    /// </summary>
    /// <param name="policyFile">The policy's file.</param>
    /// <param name="cacheFolder">The cache folder; made if missing.</param>
    /// <exception cref="MixedPrecisionException">The cache folder cannot be written, or the file of the lock cannot be opened.</exception>
    public static MachineLock OfPolicy(string policyFile, string cacheFolder, CancellationToken cancellation, Action<string>? waiting = null)
    {
        string name = FileIdentity.Of(policyFile) ?? Path.GetFullPath(policyFile);
        string folder = Path.Combine(cacheFolder, "locks");
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Errors.CacheNotWritable(cacheFolder, exception.Message);
        }

        return Acquire(Path.Combine(folder, CacheKey.Of(("policy", name)).Hex), cancellation, waiting, "waits for another run of this policy, whose results it then reuses");
    }

    /// <param name="words">What the wait is called.</param>
    internal static MachineLock Acquire(string path, CancellationToken cancellation, Action<string>? waiting = null, string words = Waiting)
    {
        long start = Stopwatch.GetTimestamp();
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            if (TryOpen(path) is { } file)
                return new MachineLock(file);
            if (waiting is not null && Stopwatch.GetElapsedTime(start) >= Short)
            {
                waiting(words);
                waiting = null;
            }

            cancellation.WaitHandle.WaitOne(PollInterval);
        }
    }

    public void Dispose() => file.Dispose();

    /// <summary>One place for all users: the temporary folder, which on Windows is each user's own, hence there the common data.</summary>
    private static string DefaultPath()
    {
        string folder = OperatingSystem.IsWindows()
            ? Environment.GetFolderPath(Environment.SpecialFolder.CommonApplicationData)
            : Path.GetTempPath();
        return Path.Combine(folder, "mixed-precision-benchmark.lock");
    }

    /// <summary>The open file, or null when another holds it.</summary>
    private static FileStream? TryOpen(string path)
    {
        try
        {
            try
            {
                // Read access is enough to lock, and all that there is to a file of another user.
                return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.None);
            }
            catch (FileNotFoundException)
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.Read, FileShare.None);
            }
        }
        catch (IOException exception) when (IsHeld(exception))
        {
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Errors.LockUnavailable(path, exception.Message);
        }
    }

    /// <summary>The errors of a lock that another holds: ERROR_SHARING_VIOLATION on Windows, EWOULDBLOCK on Linux and on macOS.</summary>
    private static bool IsHeld(IOException exception)
    {
        int number = exception.HResult & 0xFFFF;
        return OperatingSystem.IsWindows() ? number == 32 : number == (OperatingSystem.IsMacOS() ? 35 : 11);
    }
}
