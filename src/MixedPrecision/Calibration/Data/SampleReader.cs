using MixedPrecision.Diagnostics;
using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration.Data;

/// <summary>
/// Reads samples: JSON lines (<c>.jsonl</c>, <c>.ndjson</c>: an object a line, a key per input), <c>.npz</c> (an array per input, the
/// first axis is the sample) and <c>.npy</c> (the same for a model with one input).
/// </summary>
public static class SampleReader
{
    /// <summary>The first samples of a file, each checked against what the model declares.</summary>
    /// <param name="path">The file.</param>
    /// <param name="displayName">The file as the user named it, for messages and ids.</param>
    /// <param name="inputs">What every sample has to give; further keys of the data are ignored.</param>
    /// <param name="labelKey">Key of the label, or null: labels are not read.</param>
    /// <param name="maximum">At most so many samples, from the start of the file; null: all.</param>
    /// <param name="fields">Further keys that every sample has to give; null: none.</param>
    /// <returns>At least one sample.</returns>
    /// <exception cref="MixedPrecisionException">The file is missing or damaged, or a sample does not fit (range 3xxx).</exception>
    public static IReadOnlyList<Sample> Read(
        string path, string displayName, IReadOnlyList<InputDeclaration> inputs, string? labelKey, int? maximum, IReadOnlyList<DataField>? fields = null)
    {
        if (maximum is < 1)
            throw new ArgumentOutOfRangeException(nameof(maximum));
        if (!File.Exists(path))
            throw Errors.DataNotFound(displayName);
        if (inputs.FirstOrDefault(input => !ElementWriter.Supports(input.Type.ElementType)) is { } other)
            throw Errors.DataInputUnsupported(displayName, other.Name, ElementType.Name(other.Type.ElementType));

        var wanted = new WantedValues(inputs, labelKey, fields ?? []);
        try
        {
            IEnumerable<Sample> samples = Path.GetExtension(path).ToUpperInvariant() switch
            {
                ".JSONL" or ".NDJSON" => JsonLines.Read(path, displayName, wanted),
                ".NPZ" => NumpyArchive.Read(path, displayName, wanted, maximum ?? int.MaxValue),
                ".NPY" => NumpyArchive.ReadSingle(path, displayName, wanted, maximum ?? int.MaxValue),
                _ => throw Errors.DataFormatUnknown(displayName, [".jsonl", ".ndjson", ".npz", ".npy"]),
            };
            List<Sample> read = [.. samples.Take(maximum ?? int.MaxValue)];
            return read.Count > 0 ? read : throw Errors.DataEmpty(displayName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.DataUnreadable(new Place(displayName), e is UnauthorizedAccessException ? "access is denied" : "the system reports an error while it is read");
        }
    }
}
