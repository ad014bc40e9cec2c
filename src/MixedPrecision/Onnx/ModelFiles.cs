using System.Security.Cryptography;

namespace MixedPrecision.Onnx;

/// <summary>The files that a model consists of: its own, and those that hold its tensors.</summary>
public static class ModelFiles
{
    /// <summary>Full paths of the files beside the model that hold tensors, in the order of their names.</summary>
    /// <exception cref="Diagnostics.MixedPrecisionException">MPB2003 to MPB2005: a file is missing, lies outside, or is too short.</exception>
    public static IReadOnlyList<string> External(OnnxModel model) =>
        [.. Ranges(model).Select(r => r.Path).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>
    /// SHA-256 of the model's file and of the external bytes it refers to, in lower-case hexadecimal; without external data that of the file. Where the
    /// data lies in its files does not count beyond what the model's file says of it.
    /// </summary>
    /// <param name="file">The SHA-256 of the model's file: <see cref="HashOf"/>.</param>
    public static string Hash(OnnxModel model, string file)
    {
        DataRange[] ranges = [.. Ranges(model)];
        if (ranges.Length == 0)
        {
            return file;
        }

        using IncrementalHash all = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        all.AppendData(Convert.FromHexString(file));
        using IncrementalHash one = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (DataRange range in ranges)
        {
            range.Read(one.AppendData);
            all.AppendData(one.GetHashAndReset());
        }

        return Convert.ToHexStringLower(all.GetHashAndReset());
    }

    /// <summary>Bytes of the model's file and of the external data it refers to; what several tensors share counts once.</summary>
    /// <param name="path">Path of the model's file.</param>
    public static long Bytes(OnnxModel model, string path) => new FileInfo(path).Length + Ranges(model).Sum(r => r.Length);

    /// <summary>SHA-256 over the contents of files in their order, in lower-case hexadecimal; of one file its own.</summary>
    public static string HashOf(IReadOnlyList<string> files)
    {
        byte[][] hashes = [.. files.Select(file =>
        {
            using FileStream stream = File.OpenRead(file);
            return SHA256.HashData(stream);
        })];
        return Convert.ToHexStringLower(hashes.Length == 1 ? hashes[0] : SHA256.HashData([.. hashes.SelectMany(h => h)]));
    }

    private static IEnumerable<DataRange> Ranges(OnnxModel model) => ModelTensors.External(model.Proto).Select(model.External.Locate).Distinct();
}
