using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>A model as the stages see it: loaded, typed, partitioned.</summary>
internal sealed class Workspace : IDisposable
{
    private readonly Dictionary<int, IReadOnlyList<FoundStructure>> structures = [];
    private readonly bool withEmbeddings;
    private string? hash;

    private Workspace(OnnxModel model, string path, IReadOnlyDictionary<string, TensorType> types, bool withEmbeddings)
    {
        this.withEmbeddings = withEmbeddings;
        Model = model;
        Path = path;
        Types = types;
        Partition = Partitioner.Partition(model, types, withEmbeddings);
        Sites = WeightFaults.Find(Model, Partition.View, SitesOf(types));
    }

    public OnnxModel Model { get; }

    /// <summary>Full path of the model's file.</summary>
    public string Path { get; }

    public IReadOnlyDictionary<string, TensorType> Types { get; private set; }

    public Partition Partition { get; private set; }

    /// <summary>Every layer with what formats have to know of it, by the layer's name.</summary>
    public IReadOnlyDictionary<string, LayerSite> Sites { get; private set; }

    /// <summary>SHA-256 of the model's file and of the external data it reads, in lower-case hexadecimal.</summary>
    public string Hash => hash ??= ModelFiles.Hash(Model, Path);

    /// <summary>Bytes of the model's file and of the external tensors it reads.</summary>
    public long Bytes => ModelFiles.Bytes(Model, Path);

    /// <summary>Full paths of the files beside the model that hold its tensors.</summary>
    public IReadOnlyList<string> ExternalFiles => ModelFiles.External(Model);

    /// <summary>Loads a model.</summary>
    /// <param name="path">Full path.</param>
    /// <param name="displayName">The path as the user wrote it.</param>
    /// <param name="keepDefaults">Whether initializers that are inputs stay so: see <see cref="OnnxModel.Load"/>.</param>
    /// <param name="withEmbeddings">Whether tables to look up in are layers.</param>
    public static Workspace Open(string path, string displayName, bool keepDefaults = false, bool withEmbeddings = false)
    {
        OnnxModel model = OnnxModel.Load(path, displayName, keepDefaults);
        try
        {
            return new Workspace(model, path, TypeInference.Infer(model), withEmbeddings);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Whether the rank of some value is known only from a run.</summary>
    public bool NeedsRun => TypeInference.NeedsRun(Model, Types);

    /// <summary>Takes ranks that inference does not find from a run on these inputs.</summary>
    public void Complete(IReadOnlyDictionary<string, Tensor> inputs)
    {
        Types = TypeInference.Complete(Model, Types, inputs);
        Partition = Partitioner.Partition(Model, Types, withEmbeddings);
        Sites = WeightFaults.Find(Model, Partition.View, SitesOf(Types));
        structures.Clear();
    }

    /// <summary>Gives layers what calibration data show of what they read and give.</summary>
    /// <param name="moments">By name of the activation.</param>
    /// <param name="ranges">By name of the value.</param>
    public void Observe(IReadOnlyDictionary<string, InputMoments> moments, IReadOnlyDictionary<string, ValueRange> ranges) =>
        Sites = Balancing.Observe(Partition.View, Sites, moments, Weight).ToDictionary(s => s.Key, s => s.Value with
        {
            IsObserved = true,
            Ranges = s.Value.RangesOf is (string input, string output) && ranges.TryGetValue(input, out ValueRange? read) && ranges.TryGetValue(output, out ValueRange? given)
                ? new LayerRanges(read, s.Value.Tail is { } tail ? given.Within(tail.Low, tail.High) : given) : null,
        });

    /// <summary>The structures that a sub-graph may have besides the exported one.</summary>
    public IReadOnlyList<FoundStructure> StructuresOf(Subgraph subgraph)
    {
        if (!structures.TryGetValue(subgraph.Index, out IReadOnlyList<FoundStructure>? found))
        {
            structures.Add(subgraph.Index, found = KnownStructures.Find(new StructureSite(Model, Partition, subgraph, Types, Sites)));
        }

        return found;
    }

    /// <summary>The tensor of a weight, wherever the model keeps it.</summary>
    public Tensor Weight(string name) =>
        Weights.Read(Model, Partition.View, name) ?? throw new ArgumentException($"'{name}' is not constant");

    public void Dispose() => Model.Dispose();

    private Dictionary<string, LayerSite> SitesOf(IReadOnlyDictionary<string, TensorType> types) => Partition.Layers.ToDictionary(
        l => l.Name, l => LayerSite.Of(Model, Partition.View, types, l));
}
