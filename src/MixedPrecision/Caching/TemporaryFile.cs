namespace MixedPrecision.Caching;

/// <summary>A file that is written aside and then renamed to its place as a whole, or deleted.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public const string FolderName = "temporary";

    /// <summary>No writer takes this long; older files are left from a crash.</summary>
    private static readonly TimeSpan Abandoned = TimeSpan.FromDays(2);

    private readonly string path;

    /// <param name="storeFolder">The store: a rename is atomic only within one file system.</param>
    public TemporaryFile(string storeFolder)
    {
        DirectoryInfo folder = Directory.CreateDirectory(Path.Combine(storeFolder, FolderName));
        DeleteAbandoned(folder);
        path = Path.Combine(folder.FullName, Guid.NewGuid().ToString("N"));
        Stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
    }

    public FileStream Stream { get; }

    /// <summary>Flushes to disk, closes and renames.</summary>
    public void MoveTo(string target)
    {
        Stream.Flush(flushToDisk: true);
        Stream.Dispose();
        try
        {
            File.Move(path, target, overwrite: true);
        }
        catch (Exception exception)
            when (OperatingSystem.IsWindows() && exception is IOException or UnauthorizedAccessException && File.Exists(target))
        {
            // Windows refuses to replace a file that another process reads; what is there answers the same key.
        }
    }

    public void Dispose()
    {
        Stream.Dispose();
        File.Delete(path);
    }

    private static void DeleteAbandoned(DirectoryInfo folder)
    {
        DateTime limit = DateTime.UtcNow - Abandoned;
        foreach (FileInfo file in folder.EnumerateFiles().Where(file => file.LastWriteTimeUtc < limit))
        {
            try
            {
                file.Delete();
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // Another process clears up as well, or the file is another user's.
            }
        }
    }
}
