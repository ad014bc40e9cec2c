using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks.Targets;

/// <summary>
/// A graph as PyTorch's exporter writes one that it has traced: nodes and values are named by the module that they come from, each number is a Constant node, and the weights of
/// linear layers are folded to their transposes and have lost their names. So what is tried on such a graph meets what users' files hold.
/// </summary>
/// <param name="opset">Version of ONNX's operator set.</param>
/// <param name="seed">Of the weights.</param>
/// <param name="external">Takes the bytes of the weights, or null: they stand in the model.</param>
internal sealed class TracedGraph(int opset, int seed, Stream? external = null)
{
    /// <summary>The file that weights lie in when they are external, as optimum calls it.</summary>
    public const string ExternalName = "model.onnx_data";

    private readonly GraphProto graph = new() { Name = "main_graph" };
    private readonly Dictionary<string, int> numbers = [];
    private int folded = 1000;

    public RandomWeights Random { get; } = new(seed);

    /// <summary>The module at the root, whose nodes have names such as "/Add_1".</summary>
    public TracedModule Root => new(this, "");

    public string Input(string name, int elementType, params Dimension[] shape)
    {
        graph.Input.Add(new TensorType(elementType, shape).ToProto(name));
        return name;
    }

    /// <summary>Declares an output; a node that has its name computes it.</summary>
    public void Output(string name, params Dimension[] shape) => graph.Output.Add(new TensorType(ElementType.Float, shape).ToProto(name));

    /// <summary>Writes the model.</summary>
    public void Write(string path)
    {
        var model = new ModelProto { IrVersion = 8, ProducerName = "pytorch", Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "", Version = opset });
        using FileStream file = File.Create(path);
        model.WriteTo(file);
    }

    /// <summary>Adds a node and returns the name of its output, which is one given or follows from the node's.</summary>
    public string Node(string module, string operatorType, IReadOnlyList<string> inputs, AttributeProto[] attributes, string? output = null)
    {
        string stem = $"{module}/{operatorType}";
        int number = numbers[stem] = numbers.GetValueOrDefault(stem, -1) + 1;
        var node = new NodeProto { OpType = operatorType, Name = number == 0 ? stem : string.Create(CultureInfo.InvariantCulture, $"{stem}_{number}") };
        output ??= node.Name + "_output_0";
        node.Input.AddRange(inputs);
        node.Output.Add(output);
        node.Attribute.AddRange(attributes);
        graph.Node.Add(node);
        return output;
    }

    /// <summary>Adds a tensor by name.</summary>
    public string Initializer(string name, Tensor value) => Initializer(name, value.ElementType, value.Shape, write => write(value.Bytes.Span));

    /// <summary>Adds a normal matrix that a MatMul reads, under the kind of name that folding its transposition leaves.</summary>
    public string FoldedWeight(double deviation, int inputs, int outputs) => Initializer(
        string.Create(CultureInfo.InvariantCulture, $"onnx::MatMul_{folded++}"),
        ElementType.Float,
        [inputs, outputs],
        write => Random.Draw((long)inputs * outputs, deviation, part => write(MemoryMarshal.AsBytes(part))));

    /// <summary>Adds a normal tensor by name.</summary>
    public string Weight(string name, double deviation, params long[] shape) => Initializer(
        name, ElementType.Float, shape, write => Random.Draw(Tensor.ElementCount(shape), deviation, part => write(MemoryMarshal.AsBytes(part))));

    private string Initializer(string name, int elementType, long[] shape, Action<SpanWriter> content)
    {
        var tensor = new TensorProto { Name = name, DataType = elementType };
        tensor.Dims.AddRange(shape);
        long length = Tensor.ByteCount(elementType, shape);
        Stream target = external ?? new MemoryStream((int)length);
        if (external is not null)
        {
            tensor.DataLocation = 1;
            foreach ((string key, string value) in new[] { ("location", ExternalName), ("offset", Text(external.Position)), ("length", Text(length)) })
            {
                tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
            }
        }

        content(target.Write);
        if (target is MemoryStream memory)
        {
            tensor.RawData = UnsafeByteOperations.UnsafeWrap(memory.GetBuffer().AsMemory(0, (int)length));
        }

        graph.Initializer.Add(tensor);
        return name;
    }

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private delegate void SpanWriter(ReadOnlySpan<byte> bytes);
}
