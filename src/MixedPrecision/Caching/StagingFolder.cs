using System.Collections.Concurrent;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Caching;

/// <summary>
/// A folder within the output folder in which files are made; they are renamed to their places when all of them are whole. Whatever is left in it
/// goes when it is disposed of, and the output folder too when it was made for this and stayed empty.
/// </summary>
public sealed class StagingFolder : IDisposable
{
    private const string Prefix = ".mixed-precision-";

    /// <summary>No run takes this long; older folders are left from one that was killed.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(7);

    private const int MostTries = 20;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(25);

    private static readonly ConcurrentDictionary<StagingFolder, bool> Live = [];

    private readonly string output;
    private readonly bool isNew;

    private StagingFolder(string output)
    {
        this.output = output;
        isNew = !Directory.Exists(output);
        Folder = Path.Combine(output, $"{Prefix}{Guid.NewGuid():N}");
    }

    /// <summary>Full path.</summary>
    public string Folder { get; }

    /// <param name="output">Full path of the folder that the files are for; made if missing.</param>
    /// <exception cref="MixedPrecisionException">MPB8004: it cannot be written.</exception>
    public static StagingFolder In(string output)
    {
        var staging = new StagingFolder(output);
        try
        {
            DeleteAbandoned(output);
            Live.TryAdd(staging, true);
            Directory.CreateDirectory(staging.Folder);
            return staging;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            staging.Dispose();
            throw Errors.OutputNotWritable(output, e.Message);
        }
    }

    /// <summary>For a process that is about to end while a run has not: what the run would have cleared up. The run may still write: what is deleted under its hands takes more than one try.</summary>
    public static void DisposeAll()
    {
        foreach (StagingFolder staging in Live.Keys)
        {
            staging.Dispose();
            for (int again = 0; again < MostTries && Directory.Exists(staging.Folder); again++)
            {
                Thread.Sleep(Pause);
                staging.Dispose();
            }
        }
    }

    /// <summary>Renames files of this folder into the output folder, each in place of what has its name there.</summary>
    /// <returns>Full paths of the files in their places.</returns>
    /// <exception cref="MixedPrecisionException">MPB8004: a file cannot be put in its place.</exception>
    public IReadOnlyList<string> Ship(IEnumerable<string> files)
    {
        try
        {
            return [.. files.Select(file =>
            {
                string target = Path.Combine(output, Path.GetFileName(file));
                File.Move(file, target, overwrite: true);
                return target;
            })];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.OutputNotWritable(output, e.Message);
        }
    }

    public void Dispose()
    {
        Live.TryRemove(this, out _);
        try
        {
            if (Directory.Exists(Folder))
            {
                Directory.Delete(Folder, recursive: true);
            }

            if (isNew && Directory.Exists(output) && !Directory.EnumerateFileSystemEntries(output).Any())
            {
                Directory.Delete(output);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Another run writes to the output folder, or a scanner holds a file: the next run clears up.
        }
    }

    private static void DeleteAbandoned(string output)
    {
        if (!Directory.Exists(output))
        {
            return;
        }

        DateTime limit = DateTime.UtcNow - Abandoned;
        foreach (DirectoryInfo folder in new DirectoryInfo(output).EnumerateDirectories(Prefix + "*").Where(f => f.LastWriteTimeUtc < limit))
        {
            folder.Delete(recursive: true);
        }
    }
}
