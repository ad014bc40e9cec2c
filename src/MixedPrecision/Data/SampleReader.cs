using System.Security.Cryptography;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Data;

/// <summary>
/// Reads samples: JSON lines (<c>.jsonl</c>, <c>.ndjson</c>: an object a line, a key per input), <c>.npz</c> (an array per input, the
/// first axis is the sample), <c>.npy</c> (the same for a model with one input), a folder of images, and lines of text (<c>.txt</c>, <c>.tsv</c>).
/// </summary>
public static class SampleReader
{
    /// <summary>The ending of tables, which no policy reads: names of classes become numbers by all of them together.</summary>
    internal const string Table = ".CSV";

    private static readonly DataFormat Plain = new(null, null, "");

    /// <summary>The first samples of a file, each checked against what the model declares.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="displayName">The file as the user named it, for messages and ids.</param>
    /// <param name="inputs">What every sample has to give; further keys of the data are ignored.</param>
    /// <param name="labelKey">Key of the label, or null: labels are not read.</param>
    /// <param name="maximum">At most so many samples, from the start of the file; null: all.</param>
    /// <param name="fields">Further keys that every sample has to give; null: none.</param>
    /// <param name="format">How images and text become samples; null: by the defaults.</param>
    /// <returns>At least one sample.</returns>
    /// <exception cref="MixedPrecisionException">The file is missing or damaged, or a sample does not fit (range 3xxx).</exception>
    public static IReadOnlyList<Sample> Read(
        string path,
        string displayName,
        IReadOnlyList<InputDeclaration> inputs,
        string? labelKey,
        int? maximum,
        IReadOnlyList<DataField>? fields = null,
        DataFormat? format = null)
    {
        if (maximum is < 1)
            throw new ArgumentOutOfRangeException(nameof(maximum));
        WantedValues wanted = Wanted(path, displayName, inputs, labelKey, fields ?? []);
        return Guarded(displayName, () =>
        {
            List<Sample> read = [.. Open(path, displayName, wanted, maximum ?? int.MaxValue, format ?? Plain).Take(maximum ?? int.MaxValue)];
            return read.Count > 0 ? read : throw Errors.DataEmpty(displayName);
        });
    }

    /// <summary>All samples of a file, a folder or a table, one after another; images are read when they are asked for.</summary>
    /// <param name="classes">Of tables, names of the classes in their order, by label.</param>
    internal static IEnumerable<Func<Sample>> Each(
        string path, string displayName, IReadOnlyList<InputDeclaration> inputs, IReadOnlyList<DataField> fields, DataFormat format, IReadOnlyDictionary<string, IReadOnlyList<string>> classes)
    {
        WantedValues wanted = Wanted(path, displayName, inputs, null, fields);
        IEnumerable<Func<Sample>> all = KindOf(path) switch
        {
            "folder" => ImageFolder.Each(path, displayName, wanted, format).Select(read => (Func<Sample>)(() => Guarded(displayName, read))),
            Table => CsvSamples.Read(path, displayName, wanted, format, classes).Select(Known),
            _ => Open(path, displayName, wanted, int.MaxValue, format, Table.ToLowerInvariant()).Select(Known),
        };
        using IEnumerator<Func<Sample>> samples = Guarded(displayName, all.GetEnumerator);
        while (Guarded(displayName, samples.MoveNext))
            yield return samples.Current;

        static Func<Sample> Known(Sample sample) => () => sample;
    }

    /// <summary>Keys that the first sample has, where that can be told without the model; empty when the data is missing or damaged.</summary>
    public static IReadOnlyList<string> Keys(string path, string displayName, DataFormat? format = null)
    {
        if (!Path.Exists(path))
            return [];
        return Guarded<IReadOnlyList<string>>(displayName, () => KindOf(path) switch
        {
            "folder" => ImageFolder.HasLabels(path, format ?? Plain) ? [ImageFolder.Label] : [],
            ".TSV" => [ImageFolder.Label],
            Table => CsvSamples.Columns(path, displayName),
            ".JSONL" or ".NDJSON" => JsonLines.Keys(path, displayName),
            ".NPZ" => NumpyArchive.Keys(path),
            _ => [],
        });
    }

    /// <summary>The files that samples depend on, in a fixed order: for the keys of stages that read them.</summary>
    public static IReadOnlyList<string> FilesOf(string path, DataFormat? format = null) =>
        [.. Directory.Exists(path) ? ImageFolder.Files(path).Select(file => Path.Combine(path, file)) : [path], .. (format ?? Plain).Files];

    /// <summary>SHA-256 of a file that samples depend on, in lower-case hexadecimal.</summary>
    /// <exception cref="MixedPrecisionException">MPB3002: the file cannot be read.</exception>
    public static string HashOf(string file, string displayName) => Guarded(displayName, () =>
    {
        using FileStream stream = File.OpenRead(file);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    });

    private static WantedValues Wanted(string path, string displayName, IReadOnlyList<InputDeclaration> inputs, string? labelKey, IReadOnlyList<DataField> fields) =>
        !Path.Exists(path) ? throw Errors.DataNotFound(displayName)
        : inputs.FirstOrDefault(input => !ElementWriter.Supports(input.Type.ElementType)) is { } other ? throw Errors.DataInputUnsupported(displayName, other.Name, other.TypeInWords)
        : new WantedValues(inputs, labelKey, fields);

    /// <param name="others">Further endings that are read where this is asked for.</param>
    private static IEnumerable<Sample> Open(string path, string displayName, WantedValues wanted, int maximum, DataFormat format, params string[] others) => KindOf(path) switch
    {
        "folder" => ImageFolder.Read(path, displayName, wanted, format),
        ".TXT" or ".TSV" => TextLines.Read(path, displayName, wanted, format),
        ".JSONL" or ".NDJSON" => JsonLines.Read(path, displayName, wanted),
        ".NPZ" => NumpyArchive.Read(path, displayName, wanted, maximum),
        ".NPY" => NumpyArchive.ReadSingle(path, displayName, wanted, maximum),
        _ => throw Errors.DataFormatUnknown(displayName, [".jsonl", ".ndjson", ".npz", ".npy", ".txt", ".tsv", .. others]),
    };

    internal static string KindOf(string path) => Directory.Exists(path) ? "folder" : Path.GetExtension(path).ToUpperInvariant();

    private static T Guarded<T>(string displayName, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.DataUnreadable(new Place(displayName), e is UnauthorizedAccessException ? "access is denied" : "the system reports an error while it is read");
        }
    }
}
