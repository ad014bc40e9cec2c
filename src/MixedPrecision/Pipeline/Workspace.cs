using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using MixedPrecision.Calibration;
using MixedPrecision.Execution;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;
using MixedPrecision.Partitioning;
using MixedPrecision.Quantization;
using MixedPrecision.Structures;

namespace MixedPrecision.Pipeline;

/// <summary>A model as the stages see it: loaded, typed, rewritten at no loss, partitioned.</summary>
internal sealed class Workspace : IDisposable
{
    private readonly bool withEmbeddings;
    private readonly Lazy<string> hash;
    private IReadOnlyDictionary<string, TensorType> originalTypes;
    private string? keptWhy;
    private bool? hasExternalData;
    private IReadOnlyList<FoundStructure>[]? structures, known;
    private IReadOnlyDictionary<string, LayerSite>? unlocked;

    private Workspace(OnnxModel original, Lazy<string> hash, string path, IReadOnlyDictionary<string, TensorType> types, bool isRewritten, bool withEmbeddings)
    {
        this.withEmbeddings = withEmbeddings;
        this.hash = hash;
        Original = original;
        Path = path;
        IsRewritten = isRewritten;
        originalTypes = types;
        Take();
    }

    /// <summary>The model of the file.</summary>
    public OnnxModel Original { get; }

    /// <summary>The model that plans are made for: the original, with <see cref="Rewrites"/>.</summary>
    public OnnxModel Model { get; private set; }

    /// <summary>What is written anew at no loss, or null.</summary>
    public ExactRewrites? Rewrites { get; private set; }

    /// <summary>Full path of the model's file.</summary>
    public string Path { get; }

    public IReadOnlyDictionary<string, TensorType> Types { get; private set; }

    public Partition Partition { get; private set; }

    /// <summary>Every layer with what formats have to know of it, by the layer's name.</summary>
    public IReadOnlyDictionary<string, LayerSite> Sites { get; private set; }

    /// <summary>Whether the model with every layer as it is may be faster than the original.</summary>
    public bool MayGainAsItIs => Model.DefaultsNote is not null || Rewrites?.Gaining > 0;

    /// <summary>What there is to say of how the model differs from its file.</summary>
    public IReadOnlyList<string> Notes => [.. new[] { Model.DefaultsNote, Rewrites?.Note, keptWhy }.OfType<string>()];

    /// <summary>SHA-256 of the model's file and of the external data it reads, in lower-case hexadecimal.</summary>
    public string Hash => hash.Value;

    /// <summary>Bytes of the model's file and of the external tensors it reads.</summary>
    public long Bytes => ModelFiles.Bytes(Original, Path);

    /// <summary>Whether tensors of the model that plans are made for lie in files beside it.</summary>
    public bool HasExternalData => hasExternalData ??= ModelTensors.External(Model.Proto).Any();

    /// <summary>Full paths of the files beside the model that hold its tensors.</summary>
    public IReadOnlyList<string> ExternalFiles => ModelFiles.External(Original);

    /// <summary>Loads a model.</summary>
    /// <param name="path">Full path.</param>
    /// <param name="displayName">The path as the user wrote it.</param>
    /// <param name="keepDefaults">Whether initializers that are inputs stay so: see <see cref="OnnxModel.Load"/>.</param>
    /// <param name="withEmbeddings">Whether tables to look up in are layers.</param>
    /// <param name="isRewritten">Whether <see cref="ExactRewrites"/> are made.</param>
    /// <param name="infer">Finds the types of a model of some hash, in place of <see cref="TypeInference"/>.</param>
    public static Workspace Open(
        string path, string displayName, bool keepDefaults = false, bool withEmbeddings = false, bool isRewritten = true, Func<OnnxModel, string, IReadOnlyDictionary<string, TensorType>>? infer = null)
    {
        // Beside the rest: every run needs both.
        Task<string> file = Task.Run(() => ModelFiles.HashOf([path]));
        OnnxModel model = OnnxModel.Load(path, displayName, keepDefaults);
        var hash = new Lazy<string>(() => ModelFiles.Hash(model, file.GetAwaiter().GetResult()));
        try
        {
            return new Workspace(model, hash, path, infer is null ? TypeInference.Infer(model) : infer(model, hash.Value), isRewritten, withEmbeddings);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Whether the rank of some value is known only from a run.</summary>
    public bool NeedsRun => TypeInference.NeedsRun(Model, Types);

    /// <summary>Types that only a run has shown.</summary>
    public IReadOnlyDictionary<string, TensorType> SeenTypes { get; private set; } = new Dictionary<string, TensorType>();

    /// <summary>Takes ranks that inference does not find from a run on these inputs.</summary>
    public void Complete(IReadOnlyDictionary<string, Tensor> inputs)
    {
        IReadOnlyDictionary<string, TensorType> inferred = originalTypes;
        Complete(New(TypeInference.Complete(Original, inferred, inputs), inferred));
        if (Rewrites is not null && NeedsRun)
        {
            // Values out of the branches that Ifs take are no values of the original.
            Complete(With(SeenTypes, New(TypeInference.Complete(Model, Types, inputs), Types)));
        }
    }

    /// <summary>Takes them as they were seen before.</summary>
    public void Complete(IReadOnlyDictionary<string, TensorType> seen)
    {
        HashSet<string> own = [.. Original.Inputs.Select(i => i.Name), .. Original.Graph.Node.SelectMany(n => n.Output)];
        SeenTypes = seen;
        originalTypes = With(originalTypes, seen.Where(t => own.Contains(t.Key)).ToDictionary());
        Take();
        if (Rewrites is not null && seen.Keys.Any(v => !own.Contains(v)))
        {
            Types = With(Types, seen);
            Divide();
        }
    }

    private static Dictionary<string, TensorType> New(IReadOnlyDictionary<string, TensorType> types, IReadOnlyDictionary<string, TensorType> known) =>
        types.Where(t => !ReferenceEquals(known.GetValueOrDefault(t.Key), t.Value)).ToDictionary();

    private static Dictionary<string, TensorType> With(IReadOnlyDictionary<string, TensorType> types, IReadOnlyDictionary<string, TensorType> others) =>
        types.Where(t => !others.ContainsKey(t.Key)).Concat(others).ToDictionary();

    /// <summary>Whether exact rewrites stand, if there are any.</summary>
    public bool IsRewritten { get; private set; }

    /// <summary>Gives layers what a lock holds of them, in place of what calibration data show.</summary>
    public void Lock(Func<LayerSite, LayerSite> locked) => (unlocked, Sites) = (Sites, Sites.ToDictionary(s => s.Key, s => locked(s.Value)));

    /// <summary>Takes back what <see cref="Lock"/> gave layers, if it gave any something: another plan may hold something else of them.</summary>
    public void Unlock() => Sites = unlocked ?? Sites;

    /// <summary>Goes back to the model of the file.</summary>
    /// <param name="why">What the rewritten model gets wrong.</param>
    public void Restore(string why)
    {
        keptWhy = $"{Rewrites!.Undone}: {why}";
        IsRewritten = false;
        Take();
    }

    /// <summary>Gives layers what calibration data show of what they read and give.</summary>
    /// <param name="moments">By name of the activation.</param>
    /// <param name="ranges">By name of the value.</param>
    public void Observe(IReadOnlyDictionary<string, InputMoments> moments, IReadOnlyDictionary<string, ValueRange> ranges)
    {
        Sites = Balancing.Observe(Partition.View, Sites, moments, Weight).ToDictionary(s => s.Key, s => s.Value with
        {
            IsObserved = true,
            Ranges = s.Value.RangesFrom(ranges.GetValueOrDefault),
        });
    }

    /// <summary>Gives layers the ranges that values are best held in.</summary>
    public void Hold(IReadOnlyList<HeldValue> values)
    {
        var held = values.ToDictionary(v => v.Value, v => v.Range);
        Sites = Sites.ToDictionary(s => s.Key, s => s.Value.Ranges is not { } ranges ? s.Value : s.Value with
        {
            Ranges = new LayerRanges(
                held.GetValueOrDefault(s.Value.RangesOf.Input) ?? held.GetValueOrDefault(s.Value.Layer.Input) ?? ranges.Input,
                s.Value.RangesOf.Output is string output ? held.GetValueOrDefault(output) ?? ranges.Output : null)
            {
                Pooled = s.Value.Pooled is string pooled ? held.GetValueOrDefault(pooled) ?? ranges.Pooled : null,
                Inner = s.Value.Inner is string inner ? held.GetValueOrDefault(inner) ?? ranges.Inner : null,
            },
        });
    }

    /// <summary>The structures that a sub-graph may have besides the exported one. What calibration data show of layers does not count for them.</summary>
    public IReadOnlyList<FoundStructure> StructuresOf(Subgraph subgraph) => (known ?? Structures)[subgraph.Index];

    /// <summary>What is found of structures, by sub-graph.</summary>
    public List<List<StructureFinding>> FindStructures() => [.. Structures.Select(found => found.Select(StructureFinding.Of).ToList())];

    /// <summary>Takes what <see cref="FindStructures"/> found before; how a structure is written is found anew once one is.</summary>
    public void TakeStructures(IReadOnlyList<IReadOnlyList<StructureFinding>> found) =>
        known = [.. found.Select((own, index) => own.Select(f => f.Known(() => Structures[index].Single(s => s.Structure.Name == f.Name))).ToList())];

    /// <summary>The tensor of a weight, wherever the model keeps it.</summary>
    public Tensor Weight(string name) =>
        Weights.Read(Model, Partition.View, name) ?? throw new ArgumentException($"'{name}' is not constant");

    public void Dispose() => Original.Dispose();

    private IReadOnlyList<FoundStructure>[] Structures => structures ??= Search();

    /// <summary>The structures of all sub-graphs: of each by itself, hence on all processors.</summary>
    private IReadOnlyList<FoundStructure>[] Search()
    {
        var found = new IReadOnlyList<FoundStructure>[Partition.Subgraphs.Count];
        try
        {
            Parallel.For(0, found.Length, i => found[i] = KnownStructures.Find(new StructureSite(Model, Partition, Partition.Subgraphs[i], Types, Sites)));
        }
        catch (AggregateException e)
        {
            ExceptionDispatchInfo.Throw(e.InnerExceptions[0]);
        }

        return found;
    }

    [MemberNotNull(nameof(Model), nameof(Types), nameof(Partition), nameof(Sites))]
    private void Take()
    {
        Rewrites = IsRewritten ? ExactRewrites.Of(Original, originalTypes) : null;
        hasExternalData = null;
        (Model, Types) = Rewrites is null ? (Original, originalTypes) : (Rewrites.Model, Rewrites.Types);
        Divide();
    }

    [MemberNotNull(nameof(Partition), nameof(Sites))]
    private void Divide()
    {
        Partition = Partitioner.Partition(Model, Types, withEmbeddings);
        Sites = WeightFaults.Find(Model, Partition.View, SitesOf(Types));
        (structures, known) = (null, null);
        unlocked = null;
    }

    private Dictionary<string, LayerSite> SitesOf(IReadOnlyDictionary<string, TensorType> types) => Partition.Layers.ToDictionary(
        l => l.Name, l => LayerSite.Of(Model, Partition.View, types, l));
}
