using System.Globalization;
using System.Runtime.InteropServices;
using Google.Protobuf;
using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Onnx;

/// <summary>
/// A model that keeps tensors in four files, at every place where a model can have them: an initializer that a layer reads, a Constant node, a
/// branch of an If within a branch, the body of a Loop, a sparse initializer, and a function of its own. Input x [2, 8], output y [2, 8].
/// </summary>
internal sealed class ExternalModel : IDisposable
{
    public const int Width = 8;

    /// <summary>Names of the external tensors, with the file of each.</summary>
    public static readonly (string Tensor, string File)[] Places =
    [
        ("weight", "weights.data"), ("constant", "more/constants.data"), ("inner", "tables.data"), ("outer", "tables.data"), ("step", "tables.data"), ("values", "sparse.data"),
        ("called", "more/constants.data"),
    ];

    private readonly TemporaryFolder folder = new();

    public ExternalModel()
    {
        Directory.CreateDirectory(folder.Combine("more"));
        Write("model.onnx");
    }

    public string this[string file] => folder.Combine(file);

    public string Path => this["model.onnx"];

    public void Dispose() => folder.Dispose();

    /// <summary>Where the bytes of a tensor begin in its file.</summary>
    public long OffsetOf(string tensor)
    {
        using OnnxModel model = OnnxModel.Load(Path);
        return model.External.Locate(ModelTensors.External(model.Proto).Single(t => t.Name == tensor)).Offset;
    }

    private void Write(string file)
    {
        var graph = new GraphProto { Name = "external" };
        graph.Input.Add(Declared("x", 2, Width));
        graph.Output.Add(Declared("y", 2, Width));
        graph.Initializer.Add(External("weight", Width, Width));
        graph.Initializer.Add(Tensor.Scalar(3L).ToProto("trips"));
        graph.Initializer.Add(Tensor.Of<bool>([true]).ToProto("true"));
        graph.SparseInitializer.Add(new SparseTensorProto { Values = External("values", 2), Indices = Tensor.Of<long>([1, 5], 2).ToProto("indices"), Dims = { Width } });
        Add(graph, "MatMul", ["x", "weight"], "a");
        Add(graph, "Constant", [], "constant", Attributes.Of("value", External("constant", Width)));
        Add(graph, "Mul", ["a", "constant"], "b");
        Add(graph, "Add", ["b", "values"], "c");
        Add(graph, "If", ["true"], "d", Attributes.Of("then_branch", Branch("then", Nested())), Attributes.Of("else_branch", Branch("else", [Node("Identity", ["c"], "else")])));
        Add(graph, "Loop", ["trips", "", "d"], "e", Attributes.Of("body", Body()));
        graph.Node.Add(Node("Bias", ["e"], "y", domain: "own"));
        var model = new ModelProto { IrVersion = 8, Graph = graph };
        model.OpsetImport.Add(new OperatorSetIdProto { Version = 17 });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "own", Version = 1 });
        model.Functions.Add(new FunctionProto
        {
            Domain = "own",
            Name = "Bias",
            Input = { "f" },
            Output = { "g" },
            Node = { Node("Constant", [], "k", attributes: Attributes.Of("value", External("called", Width))), Node("Add", ["f", "k"], "g") },
            OpsetImport = { new OperatorSetIdProto { Version = 17 } },
        });
        File.WriteAllBytes(this[file], model.ToByteArray());
    }

    private NodeProto[] Nested() =>
    [
        Node("If", ["true"], "m", attributes: [Attributes.Of("then_branch", Branch("n", [Node("Mul", ["c", "inner"], "n")], External("inner", Width))), Attributes.Of("else_branch", Branch("o", [Node("Identity", ["c"], "o")]))]),
        Node("Constant", [], "outer", attributes: Attributes.Of("value", External("outer", Width))),
        Node("Add", ["m", "outer"], "then"),
    ];

    private GraphProto Body()
    {
        var body = new GraphProto { Name = "body" };
        body.Input.Add(new TensorType(ElementType.Int64, []).ToProto("i"));
        body.Input.Add(new TensorType(ElementType.Bool, []).ToProto("go"));
        body.Input.Add(Declared("state", 2, Width));
        body.Initializer.Add(External("step", Width));
        body.Node.Add(Node("Add", ["state", "step"], "next"));
        body.Node.Add(Node("Identity", ["go"], "goes"));
        body.Output.Add(new TensorType(ElementType.Bool, []).ToProto("goes"));
        body.Output.Add(Declared("next", 2, Width));
        return body;
    }

    private static GraphProto Branch(string output, NodeProto[] nodes, params TensorProto[] initializers)
    {
        var branch = new GraphProto { Name = output };
        branch.Node.AddRange(nodes);
        branch.Initializer.AddRange(initializers);
        branch.Output.Add(Declared(output, 2, Width));
        return branch;
    }

    private static ValueInfoProto Declared(string name, params long[] shape) => new TensorType(ElementType.Float, [.. shape.Select(Dimension.Of)]).ToProto(name);

    private static void Add(GraphProto graph, string kind, string[] inputs, string output, params AttributeProto[] attributes) => graph.Node.Add(Node(kind, inputs, output, attributes: attributes));

    private static NodeProto Node(string kind, string[] inputs, string output, string domain = "", params AttributeProto[] attributes)
    {
        var node = new NodeProto { OpType = kind, Name = $"{kind} {output}", Domain = domain, Output = { output } };
        node.Input.AddRange(inputs);
        node.Attribute.AddRange(attributes);
        return node;
    }

    /// <summary>A tensor of pseudo-random values at the end of its file.</summary>
    private TensorProto External(string name, params long[] shape)
    {
        string location = Places.Single(p => p.Tensor == name).File;
        var random = new Random(name.Length + name[0]);
        byte[] bytes = MemoryMarshal.AsBytes<float>([.. Enumerable.Range(0, (int)Tensor.ElementCount(shape)).Select(_ => random.NextSingle() + 0.5f)]).ToArray();
        using FileStream stream = File.Open(this[location], FileMode.Append);
        var tensor = new TensorProto { Name = name, DataType = ElementType.Float, DataLocation = 1 };
        tensor.Dims.AddRange(shape);
        foreach ((string key, object value) in new (string, object)[] { ("location", location), ("offset", stream.Position), ("length", bytes.Length) })
        {
            tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = Convert.ToString(value, CultureInfo.InvariantCulture)! });
        }

        stream.Write(bytes);
        return tensor;
    }
}
