using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>Writes samples in the forms that the product reads: an archive of NumPy arrays, or an object of whole numbers a line.</summary>
internal static class SampleFiles
{
    /// <param name="samples">Inputs by name; all samples have the same names, types (float or int64) and shapes.</param>
    public static void WriteArchive(string path, IReadOnlyList<IReadOnlyDictionary<string, Tensor>> samples)
    {
        using ZipArchive archive = ZipFile.Open(path, ZipArchiveMode.Create);
        foreach ((string name, Tensor first) in samples[0])
        {
            using Stream stream = archive.CreateEntry(name + ".npy", CompressionLevel.NoCompression).Open();
            stream.Write(Header(first.ElementType == ElementType.Float ? "<f4" : "<i8", [samples.Count, .. first.Shape]));
            foreach (IReadOnlyDictionary<string, Tensor> sample in samples)
            {
                stream.Write(sample[name].Bytes.Span);
            }
        }
    }

    /// <param name="samples">Of each key the numbers of a batch of one.</param>
    public static void WriteLines(string path, IEnumerable<IReadOnlyDictionary<string, long[]>> samples) =>
        File.WriteAllLines(path, samples.Select(s => JsonSerializer.Serialize(s.ToDictionary(v => v.Key, v => new[] { v.Value }))));

    /// <summary>Version 1.0 of NumPy's format: magic, version, length, a dictionary filled up with spaces to a multiple of 64 bytes.</summary>
    private static byte[] Header(string type, IEnumerable<long> shape)
    {
        string sizes = string.Concat(shape.Select(s => string.Create(CultureInfo.InvariantCulture, $"{s},")));
        string text = $"{{'descr': '{type}', 'fortran_order': False, 'shape': ({sizes}), }}";
        text = text.PadRight((((10 + text.Length) / 64) + 1) * 64 - 11) + "\n";
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)text.Length, (byte)(text.Length >> 8), .. Encoding.ASCII.GetBytes(text)];
    }
}
