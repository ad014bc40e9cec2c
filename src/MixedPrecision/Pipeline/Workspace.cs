using System.Security.Cryptography;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;

namespace MixedPrecision.Pipeline;

/// <summary>A model as the stages see it: loaded, typed, partitioned.</summary>
internal sealed class Workspace : IDisposable
{
    private string? hash;

    private Workspace(OnnxModel model, string path, IReadOnlyDictionary<string, TensorType> types, Partition partition)
    {
        Model = model;
        Path = path;
        Types = types;
        Partition = partition;
        Sites = WeightFaults.Find(Model, Partition.View, SitesOf(types));
    }

    public OnnxModel Model { get; }

    /// <summary>Full path of the model's file.</summary>
    public string Path { get; }

    public IReadOnlyDictionary<string, TensorType> Types { get; private set; }

    public Partition Partition { get; }

    /// <summary>Every layer with what formats have to know of it, by the layer's name.</summary>
    public IReadOnlyDictionary<string, LayerSite> Sites { get; private set; }

    /// <summary>SHA-256 of the model's file and of the external data it reads, in lower-case hexadecimal.</summary>
    public string Hash => hash ??= ComputeHash();

    /// <summary>Bytes of the model's file and of the external tensors it reads.</summary>
    public long Bytes => new FileInfo(Path).Length + External.Sum(TensorProtos.ByteCount);

    /// <summary>Full paths of the files beside the model that hold its tensors.</summary>
    public IReadOnlyList<string> ExternalFiles
    {
        get
        {
            // The files are known once they are read, and mapping them costs nothing.
            foreach (TensorProto tensor in External)
            {
                TensorProtos.Read(tensor, Model.External);
            }

            return Model.External.Files;
        }
    }

    private IEnumerable<TensorProto> External => Model.Graph.Initializer.Where(t => t.DataLocation == 1);

    /// <summary>Loads a model.</summary>
    /// <param name="path">Full path.</param>
    /// <param name="displayName">The path as the user wrote it.</param>
    public static Workspace Open(string path, string displayName)
    {
        OnnxModel model = OnnxModel.Load(path, displayName);
        try
        {
            IReadOnlyDictionary<string, TensorType> types = TypeInference.Infer(model);
            return new Workspace(model, path, types, Partitioner.Partition(model, types));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Whether the rank of some value is known only from a run.</summary>
    public bool NeedsRun => Types.Values.Any(t => t.Shape is null && t.ElementType != 0);

    /// <summary>Takes ranks that inference does not find from a run on these inputs.</summary>
    public void Complete(IReadOnlyDictionary<string, Tensor> inputs)
    {
        Types = TypeInference.Complete(Model, Types, inputs);
        Sites = WeightFaults.Find(Model, Partition.View, SitesOf(Types));
    }

    /// <summary>The tensor of a weight, wherever the model keeps it.</summary>
    public Tensor Weight(string name) =>
        Weights.Read(Model, Partition.View, name) ?? throw new ArgumentException($"'{name}' is not constant");

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

    public void Dispose() => Model.Dispose();

    private Dictionary<string, LayerSite> SitesOf(IReadOnlyDictionary<string, TensorType> types) => Partition.Layers.ToDictionary(
        l => l.Name, l => new LayerSite(l, Partition.View.Nodes[l.Node], Model.Opset, types[l.Input], types[l.Weight]));

    private string ComputeHash()
    {
        string file = HashOf([Path]);
        if (!External.Any())
        {
            return file;
        }

        using IncrementalHash sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        sha.AppendData(Convert.FromHexString(file));
        foreach (TensorProto tensor in External)
        {
            // Mapped for this alone: a model larger than memory must not stay in it.
            using var external = new ExternalData(Model.Folder);
            sha.AppendData(SHA256.HashData(TensorProtos.Read(tensor, external).Bytes.Span));
        }

        return Convert.ToHexStringLower(sha.GetHashAndReset());
    }
}
