using System.Security.Cryptography;
using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Quantization;

/// <summary>
/// Lets several models refer to one file of external data, in which tensors of equal bytes stand once: an app ships each weight once, and sessions that map the file share its pages.
/// Nothing else of the models changes.
/// </summary>
public static class SharedWeights
{
    /// <param name="models">Paths of the models, whose weights lie in files beside them, with the names that they get; their order decides on that of the data.</param>
    /// <param name="folder">Where the models and the data are written.</param>
    /// <param name="name">File name of the data.</param>
    /// <returns>The file of data, and then the models.</returns>
    /// <exception cref="InvalidOperationException">A model that was written is not what it was.</exception>
    public static IReadOnlyList<string> Write(IReadOnlyList<(string Path, string Name)> models, string folder, string name)
    {
        Directory.CreateDirectory(folder);
        string data = Path.Combine(folder, name);
        var files = new List<string> { data };
        var moved = new List<ModelProto>();
        Quantizer.Aside(data, stream =>
        {
            var written = new Dictionary<string, long>();
            foreach ((string path, _) in models)
            {
                using OnnxModel model = OnnxModel.Load(path, keepDefaults: true);
                foreach (TensorProto tensor in ModelTensors.External(model.Proto))
                {
                    Move(tensor, model.External.Locate(tensor), name, stream, written);
                }

                moved.Add(model.Proto);
            }
        });
        foreach (((string path, string to), ModelProto model) in models.Zip(moved))
        {
            string own = Path.Combine(folder, to);
            Quantizer.Aside(own, model.WriteTo);
            files.Add(Same(path, own) ? own : throw new InvalidOperationException($"'{own}' is not what '{path}' is"));
        }

        return files;
    }

    /// <summary>Whether two files are one model but for where their external data lie.</summary>
    internal static bool Same(string one, string other) => Content(one).SequenceEqual(Content(other));

    private static void Move(TensorProto tensor, DataRange range, string location, Stream stream, Dictionary<string, long> written)
    {
        string hash = HashOf(range);
        if (!written.TryGetValue(hash, out long offset))
        {
            written.Add(hash, offset = Quantizer.Align(stream));
            range.AppendTo(stream);
        }

        Quantizer.Refer(tensor, location, offset, range.Length);
    }

    private static List<string> Content(string path)
    {
        using OnnxModel model = OnnxModel.Load(path, keepDefaults: true);
        var content = new List<string>();
        foreach (TensorProto tensor in ModelTensors.External(model.Proto))
        {
            content.Add(HashOf(model.External.Locate(tensor)));
            tensor.ExternalData.Clear();
        }

        return [.. content, Convert.ToHexStringLower(SHA256.HashData(model.Proto.ToByteArray()))];
    }

    private static string HashOf(DataRange range)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        range.Read(hash.AppendData);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
