using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Operators;

/// <summary>A folder of ONNX's test data: a model and the inputs of one run.</summary>
internal sealed class ModelFolder
{
    private const string Data = "test_data_set_0";

    private ModelFolder(string folder)
    {
        Name = Path.GetFileName(folder);
        using OnnxModel model = OnnxModel.Load(Path.Combine(folder, "model.onnx"));
        Proto = model.Proto;
        Opset = model.Opset;
        ValueInfoProto[] inputs = [.. model.Graph.Input];
        HasFloats = inputs.Any(i => ElementType.IsFloating(TensorType.Read(i.Type).ElementType));
        try
        {
            // Data is there for the inputs in their order; weights that are listed as inputs too have none.
            Inputs = Read(folder, "input", inputs);
            Expected = Read(folder, "output", model.Graph.Output).Where(o => !o.Value.IsSequence).ToDictionary(o => o.Key, o => o.Value.Tensors[0]);
        }
        catch (Exception e) when (e is NotSupportedException or Diagnostics.MixedPrecisionException)
        {
            Problem = e.Message;
        }
    }

    public string Name { get; }

    public ModelProto Proto { get; }

    public int Opset { get; }

    /// <summary>Whether a floating tensor is among the inputs.</summary>
    public bool HasFloats { get; }

    public IReadOnlyDictionary<string, Fed> Inputs { get; } = new Dictionary<string, Fed>();

    /// <summary>The outputs that ONNX's reference gives.</summary>
    public IReadOnlyDictionary<string, Tensor> Expected { get; } = new Dictionary<string, Tensor>();

    /// <summary>Why the inputs cannot be fed, or null.</summary>
    public string? Problem { get; }

    /// <summary>What the table counts the model under: its operators if they are few.</summary>
    public string Operators
    {
        get
        {
            const int Few = 2;
            string[] names = [.. Proto.Graph.Node.Select(n => n.Operator()).Where(n => n != "Constant").Distinct().Order(StringComparer.Ordinal)];
            return names.Length is > 0 and <= Few ? string.Join(" + ", names) : "several operators";
        }
    }

    private static Dictionary<string, Fed> Read(string folder, string kind, IEnumerable<ValueInfoProto> values) => values
        .Select((value, index) => (value, File: Path.Combine(folder, Data, $"{kind}_{index}.pb")))
        .Where(v => File.Exists(v.File))
        .ToDictionary(v => v.value.Name, v => Fed.Read(v.File, v.value.Type));

    public static IEnumerable<ModelFolder> Below(string root) =>
        Directory.EnumerateFiles(root, "model.onnx", SearchOption.AllDirectories).Select(f => Path.GetDirectoryName(f)!).Order(StringComparer.Ordinal).Select(f => new ModelFolder(f));
}
