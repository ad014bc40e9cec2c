using System.Formats.Tar;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Caching;

/// <summary>What was moved between a store and an archive.</summary>
/// <param name="Entries">Files that were.</param>
/// <param name="Bytes">Their size.</param>
/// <param name="LeftOut">Files that were not: of an export those that are damaged, of an import those that are there already.</param>
public sealed record StoreTransfer(int Entries, long Bytes, int LeftOut);

/// <summary>
/// A store as one file, to be carried to another machine: a tar archive of its files under their relative paths. Equal stores give equal bytes. An archive is untrusted: names of the store's own layout alone are read,
/// and content has to have the hashes that names and headers state. That says nothing of who made it.
/// </summary>
public static class StoreArchive
{
    /// <summary>Writes all sound files of a store.</summary>
    public static StoreTransfer Export(string folder, Stream archive, CancellationToken cancel)
    {
        using var tar = new TarWriter(archive, TarEntryFormat.Gnu, leaveOpen: true);
        int leftOut = 0, entries = 0;
        long bytes = 0;
        // Large files before the entries that refer to them, so that at no time of an import one is missing.
        foreach (StoredFile file in StoredFile.In(folder).OrderBy(f => !f.IsContent))
        {
            cancel.ThrowIfCancellationRequested();
            using FileStream? data = Open(file.Path);
            if (data is null || Check(data, data.Length, file.Stage, file.Hash, Stream.Null) is not null)
            {
                leftOut++;
                continue;
            }

            data.Position = 0;
            tar.WriteEntry(new GnuTarEntry(TarEntryType.RegularFile, $"{file.Stage}/{file.Hash[..2]}/{file.Hash}")
            {
                DataStream = data,
                ModificationTime = DateTimeOffset.UnixEpoch,
                AccessTime = DateTimeOffset.UnixEpoch,
                ChangeTime = DateTimeOffset.UnixEpoch,
                Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead,
            });
            entries++;
            bytes += data.Length;
        }

        return new StoreTransfer(entries, bytes, leftOut);
    }

    /// <summary>Takes over what an archive holds and the store does not, all of it or nothing: it is read twice, and written only when it is sound.</summary>
    /// <param name="archive">The archive, as the user named it.</param>
    /// <exception cref="MixedPrecisionException">MPB8016: it is no sound archive; MPB8007: it cannot be read; MPB8001: the store cannot be written.</exception>
    public static StoreTransfer Import(string folder, string archive, CancellationToken cancel)
    {
        Read(archive, (stage, hash, data, length) => Check(data, length, stage, hash, Stream.Null), cancel);
        int known = 0, entries = 0;
        long bytes = 0;
        Read(archive, Take, cancel);
        return new StoreTransfer(entries, bytes, known);

        string? Take(string stage, string hash, Stream data, long length)
        {
            string target = Path.Combine(folder, stage, hash[..2], hash);
            if (File.Exists(target))
            {
                known++;
                return null;
            }

            try
            {
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                using var temporary = new TemporaryFile(folder);
                string? damage = Check(data, length, stage, hash, temporary.Stream);
                if (damage is null)
                {
                    temporary.MoveTo(target);
                    entries++;
                    bytes += length;
                }

                return damage;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw Errors.CacheNotWritable(folder, e.Message);
            }
        }
    }

    /// <param name="take">Given stage, hash, content and its length; says why it cannot be trusted, or null.</param>
    private static void Read(string archive, Func<string, string, Stream, long, string?> take, CancellationToken cancel)
    {
        try
        {
            using FileStream stream = File.OpenRead(archive);
            if (stream.Length == 0)
            {
                throw Errors.CacheArchiveInvalid(archive, "it is empty");
            }

            using var tar = new TarReader(stream);
            for (TarEntry? entry = tar.GetNextEntry(); entry is not null; entry = tar.GetNextEntry())
            {
                cancel.ThrowIfCancellationRequested();
                string[] name = entry.Name.Split('/');
                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || name is not [var stage, var shard, var hash] || !StoredFile.IsPlace(stage, shard, hash))
                {
                    throw Errors.CacheArchiveInvalid(archive, $"{Wording.Quote(entry.Name)} is no file of a cache");
                }

                if (take(stage, hash, entry.DataStream ?? Stream.Null, entry.Length) is { } damage)
                {
                    throw Errors.CacheArchiveInvalid(archive, $"{Wording.Quote(entry.Name)} is damaged: {damage}");
                }
            }
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or OverflowException or ArgumentException)
        {
            throw Errors.CacheArchiveInvalid(archive, e.Message);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.FileUnusable(new Place(archive), e.Message);
        }
    }

    /// <summary>Why a file of a store cannot be trusted, or null.</summary>
    private static string? Check(Stream data, long length, string stage, string hash, Stream copy)
    {
        byte[] stated = Convert.FromHexString(hash);
        return stage != ContentStore.ContentFolder ? EntryFormat.Check(data, length, stage, stated, copy)
            : EntryFormat.HashOf(data, copy).AsSpan().SequenceEqual(stated) ? null : "checksum: the file differs from its SHA-256";
    }

    private static FileStream? Open(string path)
    {
        try
        {
            return ContentStore.OpenShared(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
