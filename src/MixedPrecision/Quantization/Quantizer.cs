using System.Globalization;
using Google.Protobuf;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Structures;

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
    /// <param name="preparations">Where prepared constants are kept, or null.</param>
    /// <param name="path">Where to write the model. Everything is written aside and renamed, the model last.</param>
    /// <param name="structures">The structures of sub-graphs that are not to stay as exported.</param>
    /// <param name="isApart">Whether weights lie in a file beside the model also where the original has none.</param>
    /// <returns>The files written.</returns>
    public static IReadOnlyList<string> Write(
        OnnxModel model,
        IReadOnlyList<(LayerSite Site, NumberFormat Format)> assignments,
        Func<string, Tensor> weight,
        string path,
        Preparations? preparations = null,
        IReadOnlyList<StructureMatch>? structures = null,
        bool isApart = false)
    {
        (ModelProto emitted, _) = Emit(model, assignments, weight, preparations, structures);
        return Save(model, emitted, path, isApart);
    }

    /// <summary>Writes a model that was made from an original, and its external data if the original has any.</summary>
    /// <param name="emitted">Untouched external tensors refer to the original's files; they are made to refer to the new one.</param>
    /// <param name="path">As above.</param>
    /// <param name="isApart">As above.</param>
    /// <returns>The files written, the model last.</returns>
    public static IReadOnlyList<string> Save(OnnxModel model, ModelProto emitted, string path, bool isApart = false)
    {
        var files = new List<string>();
        if (isApart || ModelTensors.External(model.Proto).Any())
        {
            TensorProto[] external = ExternalTensors(model, emitted, isApart);
            string data = Path.GetFileName(path) + ".data";
            files.Add(Path.Combine(Path.GetDirectoryName(path)!, data));
            Aside(files[0], stream => CopyExternal(model, external, data, stream));
        }

        files.Add(path);
        Aside(path, emitted.WriteTo);
        return files;
    }

    /// <summary>Bytes of the files that <see cref="Save"/> would write of a model as it is.</summary>
    public static long Bytes(OnnxModel model)
    {
        long bytes = model.Proto.CalculateSize(), data = 0;
        if (!ModelTensors.External(model.Proto).Any())
        {
            return bytes;
        }

        var copied = new HashSet<DataRange>();
        foreach (TensorProto tensor in ExternalTensors(model, model.Proto, isApart: false))
        {
            if (!ModelTensors.IsExternal(tensor))
            {
                bytes -= tensor.RawData.Length;
                data = Aligned(data) + tensor.RawData.Length;
            }
            else if (model.External.Locate(tensor) is var range && copied.Add(range))
            {
                data = Aligned(data) + range.Length;
            }
        }

        return bytes + data;
    }

    /// <summary>The emitted model in memory, before its external data is moved: what is written, and what the written file is held against.</summary>
    /// <param name="model">The original; not changed.</param>
    /// <param name="assignments">A format for each layer that is not to stay as it is.</param>
    /// <param name="weight">The tensor of a weight, by its value name.</param>
    /// <param name="preparations">Where prepared constants are kept, or null; has to outlive the result.</param>
    /// <param name="structures">The structures of sub-graphs that are not to stay as exported.</param>
    /// <returns>The model, whose untouched external tensors refer to the original's files, and the layers rewritten.</returns>
    public static (ModelProto Model, IReadOnlyList<RewrittenLayer> Layers) Emit(
        OnnxModel model,
        IReadOnlyList<(LayerSite Site, NumberFormat Format)> assignments,
        Func<string, Tensor> weight,
        Preparations? preparations = null,
        IReadOnlyList<StructureMatch>? structures = null)
    {
        ModelProto emitted = model.Proto.Clone();
        return (emitted, LayerRewriter.Apply(emitted, assignments, weight, preparations, structures));
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

    /// <summary>Where the next tensor starts in a file of external data.</summary>
    private static long Aligned(long position) => position + ((Alignment - (position % Alignment)) % Alignment);

    /// <summary>
    /// Tensors of a model with external data that lie in its file: those that did in the original, wherever they stand, and new constants too, since a model's own file
    /// takes no more than 2 GB; where weights lie apart, every initializer from a page on.
    /// </summary>
    private static TensorProto[] ExternalTensors(OnnxModel model, ModelProto emitted, bool isApart)
    {
        TensorProto[] external = [.. ModelTensors.External(emitted)];
        if (isApart)
        {
            foreach (TensorProto typed in emitted.Graph.Initializer.Where(t => !t.HasRawData && !ModelTensors.IsExternal(t) && ElementType.BitsOf(t.DataType) > 0 && TensorProtos.ByteCount(t) >= Alignment))
            {
                TensorProtos.Pack(typed);
            }
        }

        IEnumerable<TensorProto> added = emitted.Graph.Initializer.Where(t => t.HasRawData && t.RawData.Length >= Alignment && (isApart || !model.Initializers.ContainsKey(t.Name) || model.Made.Contains(t.Name)));
        return [.. external, .. added];
    }

    /// <summary>Copies tensors into one file of external data and lets the messages point there; what several of them share is copied once.</summary>
    private static void CopyExternal(OnnxModel model, TensorProto[] tensors, string location, Stream stream)
    {
        var copied = new Dictionary<DataRange, long>();
        foreach (TensorProto tensor in tensors)
        {
            DataRange? range = ModelTensors.IsExternal(tensor) ? model.External.Locate(tensor) : null;
            long length = range?.Length ?? tensor.RawData.Length;
            if (range is not { } known || !copied.TryGetValue(known, out long offset))
            {
                offset = Align(stream);
                if (range is { } original)
                {
                    original.AppendTo(stream);
                    copied.Add(original, offset);
                }
                else
                {
                    stream.Write(tensor.RawData.Span);
                    tensor.ClearRawData();
                    tensor.DataLocation = 1;
                }
            }

            Refer(tensor, location, offset, length);
        }
    }

    /// <summary>Moves on to where a tensor may start.</summary>
    internal static long Align(Stream stream)
    {
        stream.Write(new byte[Aligned(stream.Position) - stream.Position]);
        return stream.Position;
    }

    /// <summary>Lets an external tensor lie elsewhere.</summary>
    internal static void Refer(TensorProto tensor, string location, long offset, long length)
    {
        tensor.ExternalData.Clear();
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "location", Value = location });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "offset", Value = offset.ToString(CultureInfo.InvariantCulture) });
        tensor.ExternalData.Add(new StringStringEntryProto { Key = "length", Value = length.ToString(CultureInfo.InvariantCulture) });
    }
}
