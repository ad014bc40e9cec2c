using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;

namespace MixedPrecision.Caching;

/// <summary>What tells a file from all others, whichever of its names it is called by.</summary>
internal static partial class FileIdentity
{
    private const int CurrentFolder = -100;
    private const uint InodeWanted = 0x100;

    /// <summary>
    /// Equal for two paths of one file. On Linux the file system's own number, so that links of both kinds, folders mounted twice and names that
    /// differ in case are seen through; elsewhere the path with its links resolved, regardless of case.
    /// </summary>
    /// <returns>Null where no such file exists.</returns>
    public static string? Of(string path)
    {
        if (!Path.Exists(path))
        {
            return null;
        }

        return OperatingSystem.IsLinux() && Inode(path) is string inode ? inode : Resolve(Path.GetFullPath(path)).ToUpperInvariant();
    }

    private static string? Inode(string path)
    {
        // struct statx has one layout on all architectures: the inode at byte 32, the device at byte 136.
        byte[] status = new byte[256];
        return Status(CurrentFolder, path, 0, InodeWanted, ref status[0]) != 0 ? null : string.Create(
            CultureInfo.InvariantCulture,
            $"{BinaryPrimitives.ReadUInt64LittleEndian(status.AsSpan(136))}:{BinaryPrimitives.ReadUInt64LittleEndian(status.AsSpan(32))}");
    }

    private static string Resolve(string path)
    {
        string? parent = Path.GetDirectoryName(path);
        if (parent is null)
        {
            return path;
        }

        string here = Path.Combine(Resolve(parent), Path.GetFileName(path));
        FileSystemInfo entry = Directory.Exists(here) ? new DirectoryInfo(here) : new FileInfo(here);
        return entry.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? here;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Status(int folder, string path, int flags, uint mask, ref byte status);
}
