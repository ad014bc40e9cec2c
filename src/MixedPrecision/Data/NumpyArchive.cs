using System.IO.Compression;
using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Data;

/// <summary>Samples as NumPy arrays whose first axis is the sample: many in an .npz archive by name, or one .npy file.</summary>
internal static class NumpyArchive
{
    private const string Extension = ".npy";

    /// <summary>Reads an archive with an array for each input, and for the label.</summary>
    public static IReadOnlyList<Sample> Read(string path, string displayName, WantedValues wanted, int maximum)
    {
        try
        {
            using ZipArchive archive = ZipFile.OpenRead(path);
            var entries = new Dictionary<string, ZipArchiveEntry>(StringComparer.Ordinal);
            foreach (ZipArchiveEntry entry in archive.Entries.Where(entry => entry.FullName.EndsWith(Extension, StringComparison.Ordinal)))
            {
                if (!entries.TryAdd(entry.FullName[..^Extension.Length], entry))
                    throw Errors.DataNotNumpy(displayName, $"it holds two arrays {Wording.Quote(entry.FullName)}");
            }

            return Samples(displayName, wanted, maximum, [.. entries.Keys], name => entries.TryGetValue(name, out ZipArchiveEntry? entry) ? entry.Open() : null);
        }
        catch (InvalidDataException e)
        {
            throw Errors.DataNotNumpy(displayName, Wording.Escape(e.Message).TrimEnd('.'));
        }
    }

    /// <summary>Names of an archive's arrays; none when it is damaged.</summary>
    public static IReadOnlyList<string> Keys(string path)
    {
        try
        {
            using ZipArchive archive = ZipFile.OpenRead(path);
            return [.. archive.Entries.Where(entry => entry.FullName.EndsWith(Extension, StringComparison.Ordinal)).Select(entry => entry.FullName[..^Extension.Length])];
        }
        catch (InvalidDataException)
        {
            return [];
        }
    }

    /// <summary>Reads a single array, which is the model's only input.</summary>
    public static IReadOnlyList<Sample> ReadSingle(string path, string displayName, WantedValues wanted, int maximum)
    {
        string only = wanted.Inputs.Count > 0 ? wanted.Inputs[0].Name : "";
        return Samples(displayName, wanted, maximum, [only], name => name == only ? File.OpenRead(path) : null);
    }

    private static List<Sample> Samples(string file, WantedValues wanted, int maximum, IReadOnlyCollection<string> found, Func<string, Stream?> open)
    {
        (string Name, NumpyHeader? Header)[] arrays = [.. wanted.Names.Select(name => (name, Header(name)))];
        if (arrays.FirstOrDefault(a => a.Header is null && !wanted.MayLack(a.Name)).Name is { } missing)
            throw wanted.Missing(missing, found, new Place(file));
        arrays = [.. arrays.Where(a => a.Header is not null)];
        string[] names = [.. arrays.Select(a => a.Name)];
        NumpyHeader[] headers = [.. arrays.Select(a => a.Header!)];
        if (headers.Length == 0 || headers.All(header => Tensor.ElementCount(header.RowShape) == 0))
            throw Errors.DataEmpty(file);
        int other = Array.FindIndex(headers, header => header.Rows != headers[0].Rows);
        if (other >= 0)
            throw Errors.DataWrongShape(new Place(file), names[other], headers[other].Shape, $"{headers[0].Rows} samples along the first axis as in {Wording.Quote(names[0])}");

        int rows = (int)Math.Min(headers[0].Rows, maximum);
        var columns = new Dictionary<string, IReadOnlyList<Tensor>>(StringComparer.Ordinal);
        // What has elements comes first: a damaged header cannot make many empty rows before it is found out.
        foreach (int i in Enumerable.Range(0, headers.Length).OrderBy(i => Tensor.ElementCount(headers[i].RowShape) == 0))
        {
            using Stream stream = open(names[i])!;
            NumpyHeader header = NumpyHeader.Read(stream, file, names[i]);
            columns.Add(names[i], NumpyData.ReadRows(stream, header, rows, wanted.TypeOf(names[i]), file, names[i], wanted.IsLabel(names[i])));
        }

        return [.. Enumerable.Range(0, rows).Select(row =>
            wanted.Sample($"{file}[{row}]", names.ToDictionary(name => name, name => columns[name][row], StringComparer.Ordinal), found, new Place($"{file}[{row}]")))];

        NumpyHeader? Header(string name)
        {
            using Stream? stream = open(name);
            return stream is null ? null : NumpyHeader.Read(stream, file, name);
        }
    }
}
