using Google.Protobuf;
using MixedPrecision.Diagnostics;

namespace MixedPrecision.Onnx;

/// <summary>A model as loaded: the message, and the folder its external data lies in.</summary>
public sealed class OnnxModel : IDisposable
{
    private Dictionary<string, TensorProto>? initializers;
    private HashSet<string>? defaults;

    public OnnxModel(ModelProto proto, string folder, string displayName)
        : this(proto, folder, displayName, new ExternalData(folder))
    {
    }

    private OnnxModel(ModelProto proto, string folder, string displayName, ExternalData external)
    {
        Proto = proto;
        Folder = folder;
        DisplayName = displayName;
        External = external;
    }

    public ModelProto Proto { get; }

    public GraphProto Graph => Proto.Graph;

    /// <summary>Full path of the folder that external data is relative to.</summary>
    public string Folder { get; }

    /// <summary>The model's path as the user gave it, for messages.</summary>
    public string DisplayName { get; }

    public ExternalData External { get; }

    /// <summary>The version of ONNX's own operator set.</summary>
    public int Opset => (int)(Proto.OpsetImport.FirstOrDefault(o => o.Domain is "" or "ai.onnx")?.Version ?? 1);

    /// <summary>The initializers of the main graph by name.</summary>
    public IReadOnlyDictionary<string, TensorProto> Initializers => initializers ??= Graph.Initializer.ToDictionary(t => t.Name);

    /// <summary>Inputs that a caller has to feed: those without an initializer of the same name.</summary>
    public IEnumerable<ValueInfoProto> Inputs => Graph.Input.Where(i => !Initializers.ContainsKey(i.Name));

    /// <summary>Initializers that an app may replace, since they are inputs too.</summary>
    public IReadOnlySet<string> Defaults => defaults ??= DefaultInputs.Of(Graph);

    /// <summary>Initializers that are in no file, since <see cref="With"/> brought them.</summary>
    public IReadOnlySet<string> Made { get; private init; } = new HashSet<string>();

    /// <summary>What there is to say of initializers that an exporter listed as inputs out of habit and that are constants in this model; null: there are none.</summary>
    public string? DefaultsNote { get; private init; }

    /// <summary>Reads a model; errors name <paramref name="displayName"/>.</summary>
    /// <param name="path">Path of the file.</param>
    /// <param name="displayName">The path as the user gave it.</param>
    /// <param name="keepDefaults">Whether initializers that are inputs stay so even where the exporter lists all of them.</param>
    /// <exception cref="MixedPrecisionException">MPB2001, MPB2002 or MPB2007: there is no such file, it is no model, or its graph is none.</exception>
    public static OnnxModel Load(string path, string? displayName = null, bool keepDefaults = false)
    {
        displayName ??= path;
        if (!File.Exists(path))
        {
            throw Errors.ModelNotFound(displayName);
        }

        ModelProto proto;
        try
        {
            proto = ModelParser.Parse(File.ReadAllBytes(path));
        }
        catch (InvalidProtocolBufferException e)
        {
            throw Errors.ModelNotOnnx(displayName, FileKind.Recognize(path) ?? e.Message.TrimEnd('.').Replace('\n', ' '));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Errors.FileUnusable(new Place(displayName), e.Message);
        }

        if (proto.Graph is null || proto.Graph.Output.Count == 0 || proto.OpsetImport.Count == 0)
        {
            throw Errors.ModelNotOnnx(displayName, FileKind.Recognize(path) ?? (proto.Graph is null ? "it holds no graph" : "it names no outputs or no operator set"));
        }

        string? twice = proto.Graph.Initializer.GroupBy(t => t.Name).FirstOrDefault(g => g.Count() > 1)?.Key;
        if (twice is not null)
        {
            throw Errors.GraphInvalid(twice, "two initializers have this name");
        }

        int unlisted = DefaultInputs.Unlist(proto, keepDefaults);
        return new OnnxModel(proto, Path.GetDirectoryName(Path.GetFullPath(path))!, displayName)
        {
            DefaultsNote = unlisted == 0 ? null
                : $"the model lists all of its {unlisted} initializers as inputs too, as exporters used to: they are constants now, which lets ONNX Runtime fold and lay them out; the emitted model lists "
                    + "only inputs that have to be fed. `defaults: keep` in the policy keeps them",
        };
    }

    /// <summary>The same with another message, which refers to the same external data. The mappings of these are shared: only one of the two is to be disposed of.</summary>
    internal OnnxModel With(ModelProto proto) => new(proto, Folder, DisplayName, External)
    {
        DefaultsNote = DefaultsNote,
        Made = proto.Graph.Initializer.Select(t => t.Name).Where(n => Made.Contains(n) || !Initializers.ContainsKey(n)).ToHashSet(),
    };

    /// <summary>The tensor of an initializer of the main graph, or null.</summary>
    public Tensor? Initializer(string name) =>
        Initializers.TryGetValue(name, out TensorProto? proto) ? TensorProtos.Read(proto, External) : null;

    public void Dispose() => External.Dispose();
}
