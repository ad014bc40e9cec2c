using System.Text;

namespace MixedPrecision.Onnx;

/// <summary>Recognizes files of other formats that come under the name of a model, by how they begin.</summary>
internal static class FileKind
{
    private const int LongestStart = 512;

    /// <summary>Where a signature stands, the signature, and what the file is and what to do.</summary>
    private static readonly (int Offset, string Signature, string Kind)[] Signatures =
    [
        (0, "version https://git-lfs.github.com/spec/", "it is a pointer of Git LFS, not the file itself: run `git lfs pull`"),
        (4, "ORTM", "it is in ONNX Runtime's own format (ORT), which keeps no graph to change: take the .onnx file that it was converted from"),
        (4, "TFL3", "it is a TensorFlow Lite model: convert it with tf2onnx"),
        (0, "\x89HDF\r\n", "it is in the HDF5 format, as Keras writes it: convert it with tf2onnx"),
        (0, "\x80\x02", "it is a Python pickle, as older versions of PyTorch write it: export the model with torch.onnx.export"),
        (0, "\x80\x04", "it is a Python pickle: export the model as ONNX"),
        (0, "GGUF", "it is in the GGUF format: export the model as ONNX from its original"),
        (0, "\x1F\x8B", "it is compressed with gzip: decompress it"),
        (0, "PK\x03\x04", "it is a zip archive, as PyTorch's checkpoints and downloads are: unpack it, or export the model with torch.onnx.export"),
        (0, "7z\xBC\xAF", "it is a 7z archive: unpack it"),
    ];

    /// <summary>What a file is that is no ONNX model, as a clause; null when it cannot be told.</summary>
    public static string? Recognize(string path)
    {
        byte[] start = new byte[LongestStart];
        long length;
        int count;
        using (FileStream stream = File.OpenRead(path))
        {
            length = stream.Length;
            count = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        }

        if (count == 0)
        {
            return "it is empty";
        }

        string text = Encoding.Latin1.GetString(start, 0, count);
        foreach ((int offset, string signature, string kind) in Signatures)
        {
            if (text.Length >= offset + signature.Length && text.AsSpan(offset).StartsWith(signature, StringComparison.Ordinal))
            {
                return kind;
            }
        }

        string visible = text.TrimStart('\xEF', '\xBB', '\xBF', ' ', '\t', '\r', '\n');
        return visible.StartsWith("<!doctype", StringComparison.OrdinalIgnoreCase) || visible.StartsWith("<html", StringComparison.OrdinalIgnoreCase) || visible.StartsWith("<?xml", StringComparison.OrdinalIgnoreCase)
            ? "it is a web page, such as a server sends in place of a file that it refuses: download the model again"
            : IsSafetensors(start.AsSpan(0, count), length) ? "it is in the safetensors format, which holds weights without a graph: export the model as ONNX"
            : null;
    }

    /// <summary>Eight bytes with the length of a JSON object, and the object (safetensors, "Format").</summary>
    private static bool IsSafetensors(ReadOnlySpan<byte> start, long length) =>
        start.Length > 9 && start[8] == '{' && BitConverter.ToUInt64(start) is > 1 and var header && header <= (ulong)length - 8;
}
