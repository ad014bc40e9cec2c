using System.Buffers;
using System.Globalization;
using System.IO.MemoryMappedFiles;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Onnx;

/// <summary>
/// Tensors that lie in files beside the model (ONNX specification, "External Tensor Data"). Files are mapped, not read, so
/// a model larger than memory can be used. A location outside of the model's folder is refused, since models are untrusted.
/// </summary>
public sealed class ExternalData(string folder) : IDisposable
{
    private readonly Dictionary<string, (MemoryMappedFile File, MappedBytes Bytes)> files = [];

    /// <summary>Where the bytes of an external tensor of any size lie; the file is there and long enough.</summary>
    public DataRange Locate(TensorProto tensor)
    {
        string location = Entry(tensor, "location") ?? throw Errors.ExternalDataInvalid(tensor.Name, "no location");
        long offset = Number(tensor, "offset") ?? 0;
        long byteCount = TensorProtos.ByteCount(tensor);
        long length = Number(tensor, "length") ?? byteCount;
        if (length != byteCount)
        {
            throw Errors.ExternalDataInvalid(tensor.Name, $"length {length} where type and shape need {byteCount} bytes");
        }

        string path = Locate(tensor.Name, location);
        long size = new FileInfo(path).Length;
        return offset <= size && length <= size - offset
            ? new DataRange(path, offset, length)
            : throw Errors.ExternalDataInvalid(tensor.Name, size == 0 ? $"'{location}' is empty" : $"offset {offset} and length {length} pass the end of '{location}'");
    }

    /// <summary>The bytes of an external tensor, as a view of the mapped file.</summary>
    /// <exception cref="MixedPrecisionException">MPB2003 to MPB2005: the file is missing, lies outside, or is too short. MPB2009: a view holds at most 2 GB.</exception>
    public ReadOnlyMemory<byte> Read(TensorProto tensor)
    {
        DataRange range = Locate(tensor);
        if (range.Length > TensorProtos.LargestRead)
        {
            throw Errors.TensorTooLarge(tensor.Name, range.Length);
        }

        // An empty file cannot be mapped.
        if (range.Length == 0)
        {
            return ReadOnlyMemory<byte>.Empty;
        }

        lock (files)
        {
            if (!files.TryGetValue(range.Path, out var entry))
            {
                MemoryMappedFile file = MemoryMappedFile.CreateFromFile(range.Path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
                entry = (file, new MappedBytes(file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read), new FileInfo(range.Path).Length));
                files.Add(range.Path, entry);
            }

            return entry.Bytes.Slice(range.Offset, range.Length)
                ?? throw Errors.ExternalDataInvalid(tensor.Name, $"offset {range.Offset} and length {range.Length} pass the end of '{Entry(tensor, "location")}'");
        }
    }

    public void Dispose()
    {
        foreach (var (file, bytes) in files.Values)
        {
            bytes.Dispose();
            file.Dispose();
        }

        files.Clear();
    }

    private static string? Entry(TensorProto tensor, string key) => tensor.ExternalData.FirstOrDefault(e => e.Key == key)?.Value;

    private static long? Number(TensorProto tensor, string key) => Entry(tensor, key) is not string text
        ? null
        : long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number
            : throw Errors.ExternalDataInvalid(tensor.Name, $"{key} '{text}'");

    /// <summary>The file a location names. Refuses rooted paths, '..' and links that lead out of the model's folder.</summary>
    private string Locate(string tensor, string location)
    {
        string[] segments = location.Split('/', '\\');
        if (Path.IsPathRooted(location) || location.Contains(':', StringComparison.Ordinal) || segments.Contains("..") || location.Contains('\0', StringComparison.Ordinal))
        {
            throw Errors.ExternalDataOutside(tensor, location);
        }

        string path = folder;
        foreach (string segment in segments.Where(s => s is not ("" or ".")))
        {
            path = Path.Combine(path, segment);
            FileSystemInfo entry = Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);
            if (!entry.Exists)
            {
                throw Errors.ExternalDataMissing(tensor, location);
            }

            if (entry.ResolveLinkTarget(returnFinalTarget: true) is { } target && !IsInside(target.FullName))
            {
                throw Errors.ExternalDataOutside(tensor, location);
            }
        }

        return File.Exists(path) ? path : throw Errors.ExternalDataMissing(tensor, location);
    }

    private bool IsInside(string target)
    {
        string root = new DirectoryInfo(folder).ResolveLinkTarget(true)?.FullName ?? Path.GetFullPath(folder);
        return Path.GetFullPath(target).StartsWith(Path.TrimEndingDirectorySeparator(root) + Path.DirectorySeparatorChar, StringComparison.Ordinal);
    }

    /// <summary>A mapped file, from which slices of up to 2 GB are taken.</summary>
    private sealed class MappedBytes(MemoryMappedViewAccessor view, long size) : IDisposable
    {
        private readonly List<MappedSlice> slices = [];

        public ReadOnlyMemory<byte>? Slice(long offset, long length)
        {
            if (offset < 0 || length < 0 || offset > size || length > size - offset || length > int.MaxValue)
            {
                return null;
            }

            var slice = new MappedSlice(view, offset, (int)length);
            slices.Add(slice);
            return slice.Memory;
        }

        public void Dispose()
        {
            foreach (IDisposable slice in slices)
            {
                slice.Dispose();
            }

            view.Dispose();
        }
    }

    private sealed unsafe class MappedSlice : MemoryManager<byte>
    {
        private readonly MemoryMappedViewAccessor view;
        private readonly int length;
        private byte* start;

        public MappedSlice(MemoryMappedViewAccessor view, long offset, int length)
        {
            this.view = view;
            this.length = length;
            byte* origin = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref origin);
            start = origin + view.PointerOffset + offset;
        }

        public override Span<byte> GetSpan() => new(start, length);

        public override MemoryHandle Pin(int elementIndex = 0) => new(start + elementIndex);

        public override void Unpin()
        {
        }

        protected override void Dispose(bool disposing)
        {
            if (start != null)
            {
                start = null;
                view.SafeMemoryMappedViewHandle.ReleasePointer();
            }
        }
    }
}
