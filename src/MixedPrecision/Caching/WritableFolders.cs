using MixedPrecision.Diagnostics;

namespace MixedPrecision.Caching;

/// <summary>Whether the folders that a run writes to can be written, asked before the work is done and not after.</summary>
public static class WritableFolders
{
    /// <summary>Enough to be refused by a disk that is full.</summary>
    private const int ProbeLength = 1 << 16;

    /// <summary>Tries the temporary folder, and the cache and output folders if there are any; nothing stays behind, and no folder is made.</summary>
    /// <param name="cache">The cache folder, or null: the run has none.</param>
    /// <param name="output">The folder of the emitted files, or null.</param>
    /// <exception cref="MixedPrecisionException">MPB8006, MPB8001 or MPB8004: one of them cannot be written.</exception>
    public static void Check(string? cache, string? output)
    {
        string temporary = Path.GetTempPath();
        if (Refusal(temporary, mustExist: true) is string reason)
        {
            throw Errors.TemporaryFolderNotWritable(temporary, reason);
        }

        if (cache is not null && Refusal(cache) is string cacheReason)
        {
            throw Errors.CacheNotWritable(cache, cacheReason);
        }

        if (output is not null && Refusal(output) is string outputReason)
        {
            throw Errors.OutputNotWritable(output, outputReason);
        }
    }

    /// <summary>Why no file can be made in a folder, or in the nearest one above that exists; null when one can.</summary>
    private static string? Refusal(string folder, bool mustExist = false)
    {
        try
        {
            string? existing = Path.GetFullPath(folder);
            while (existing is not null && !Directory.Exists(existing))
            {
                if (File.Exists(existing))
                {
                    return $"'{existing}' is a file.";
                }

                if (mustExist)
                {
                    return "it does not exist.";
                }

                existing = Path.GetDirectoryName(existing);
            }

            if (existing is null)
            {
                return "its drive does not exist.";
            }

            string probe = Path.Combine(existing, $".mixed-precision-probe-{Guid.NewGuid():N}");
            using var stream = new FileStream(probe, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
            stream.Write(new byte[ProbeLength]);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }
}
