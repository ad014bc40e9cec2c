using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Quantization;

/// <summary>Writes the model with every layer in the format the plan gives it.</summary>
public static class Quantizer
{
    /// <summary>Where tensors start in a file of external data: a page, so that they can be mapped.</summary>
    private const int Alignment = 4096;

    /// <summary>Files of the emitted model: the model, and its external data if the original has any.</summary>
    /// <param name="model">The original; not changed.</param>
    /// <param name="assignments">A format for each layer that is not to stay as it is.</param>
    /// <param name="weight">The tensor of a weight, by its value name.</param>
    /// <param name="path">Where to write the model. Everything is written aside and renamed, the model last.</param>
    /// <returns>The files written.</returns>
    public static IReadOnlyList<string> Write(OnnxModel model, IReadOnlyList<(LayerSite Site, NumberFormat Format)> assignments, Func<string, Tensor> weight, string path)
    {
        ModelProto emitted = model.Proto.Clone();
        LayerRewriter.Apply(emitted, assignments, weight);
        TensorProto[] external = [.. ExternalTensors(emitted.Graph)];
        var files = new List<string>();
        if (external.Length > 0)
        {
            string data = Path.GetFileName(path) + ".data";
            files.Add(Path.Combine(Path.GetDirectoryName(path)!, data));
            Aside(files[0], stream => CopyExternal(model, external, data, stream));
        }

        files.Add(path);
        Aside(path, emitted.WriteTo);
        return files;
    }

    /// <summary>Writes a file under another name and renames it when it is whole; a failure leaves nothing behind.</summary>
    internal static void Aside(string path, Action<Stream> write)
    {
        string temporary = $"{path}.{Guid.NewGuid():N}.tmp";
        try
        {
            using (FileStream stream = File.Create(temporary))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static IEnumerable<TensorProto> ExternalTensors(GraphProto graph) =>
        graph.Initializer.Concat(graph.Node.SelectMany(n => n.Attribute).Where(a => a.T is not null).Select(a => a.T))
            .Where(t => t.DataLocation == 1)
            .Concat(graph.Node.SelectMany(n => n.Graphs()).SelectMany(ExternalTensors));

    /// <summary>Copies tensors into one file of external data and lets the messages point there.</summary>
    private static void CopyExternal(OnnxModel model, TensorProto[] tensors, string location, Stream stream)
    {
        foreach (TensorProto tensor in tensors)
        {
            ReadOnlyMemory<byte> bytes = TensorProtos.Read(tensor, model.External).Bytes;
            stream.Write(new byte[(Alignment - (stream.Position % Alignment)) % Alignment]);
            tensor.ExternalData.Clear();
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = stream.Position.ToString(CultureInfo.InvariantCulture) });
            tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = bytes.Length.ToString(CultureInfo.InvariantCulture) });
            stream.Write(bytes.Span);
        }
    }
}
