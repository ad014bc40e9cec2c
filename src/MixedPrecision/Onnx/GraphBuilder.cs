namespace MixedPrecision.Onnx;

/// <summary>
/// Makes nodes, fresh value names and constants: the only place where names are made. Gradient rules, rewrites of layers, losses and
/// tests write graphs through it. Nodes are appended in order, so each may read what was made before it.
/// </summary>
public sealed class GraphBuilder
{
    private readonly HashSet<string> taken;
    private readonly Dictionary<(int Type, string Shape, string Bytes), string> smallConstants = [];
    private readonly Dictionary<string, int> numbers = [];
    private readonly string prefix;

    /// <param name="taken">Names that are in use; fresh names differ from all of them.</param>
    /// <param name="prefix">Put before every fresh name, so that a reader sees who made it, e.g. "gradient/".</param>
    public GraphBuilder(IEnumerable<string> taken, string prefix = "")
        : this([.. taken], prefix)
    {
    }

    private GraphBuilder(HashSet<string> taken, string prefix)
    {
        this.taken = taken;
        this.prefix = prefix;
    }

    /// <summary>A builder for a graph inside a node: nodes and constants of its own, names that differ from all that either makes.</summary>
    public GraphBuilder Inner() => new(taken, prefix);

    public List<NodeProto> Nodes { get; } = [];

    /// <summary>Constants made so far, by name. Equal small constants are made once.</summary>
    public Dictionary<string, Tensor> Constants { get; } = [];

    /// <summary>Domains other than ONNX's own that nodes made here need, with the version.</summary>
    public Dictionary<string, long> Domains { get; } = [];

    /// <summary>All names that a graph defines or reads, inner graphs included: what a builder has to keep clear of.</summary>
    public static IEnumerable<string> NamesIn(GraphProto graph) =>
        graph.Input.Concat(graph.Output).Concat(graph.ValueInfo).Select(v => v.Name)
            .Concat(graph.Initializer.Select(i => i.Name))
            .Concat(graph.Node.SelectMany(n => n.Input.Concat(n.Output).Append(n.Name).Concat(n.Graphs().SelectMany(NamesIn))));

    /// <summary>A name nobody has: the hint itself, or the hint and a number.</summary>
    public string Fresh(string hint)
    {
        // Numbers go on where they ended for this hint: trying them all again takes quadratic time.
        string name = prefix + hint;
        while (!taken.Add(name))
        {
            int number = numbers.GetValueOrDefault(hint) + 1;
            numbers[hint] = number;
            name = $"{prefix}{hint}_{number}";
        }

        return name;
    }

    /// <summary>Adds a node with one output of a fresh name and returns that name.</summary>
    public string Node(string operatorType, IReadOnlyList<string> inputs, params AttributeProto[] attributes) =>
        Append(operatorType, "", inputs, [Fresh(operatorType)], attributes)[0];

    /// <summary>Adds a node of com.microsoft with one output of a fresh name and returns that name.</summary>
    public string MicrosoftNode(string operatorType, IReadOnlyList<string> inputs, params AttributeProto[] attributes) =>
        Append(operatorType, "com.microsoft", inputs, [Fresh(operatorType)], attributes)[0];

    /// <summary>Adds a node with several outputs of fresh names.</summary>
    public string[] NodeWithOutputs(string operatorType, int outputs, IReadOnlyList<string> inputs, params AttributeProto[] attributes) =>
        Append(operatorType, "", inputs, [.. Enumerable.Range(0, outputs).Select(_ => Fresh(operatorType))], attributes);

    /// <summary>Adds a node whose outputs have the names given.</summary>
    public string[] NodeTo(IReadOnlyList<string> outputs, string operatorType, string domain, IReadOnlyList<string> inputs, params AttributeProto[] attributes) =>
        Append(operatorType, domain, inputs, [.. outputs], attributes);

    /// <summary>The name of a constant with this value.</summary>
    public string Constant(Tensor value, string hint = "constant")
    {
        if (value.Bytes.Length > 64)
        {
            string name = Fresh(hint);
            Constants.Add(name, value);
            return name;
        }

        var key = (value.ElementType, string.Join(',', value.Shape), Convert.ToHexString(value.Bytes.Span));
        if (!smallConstants.TryGetValue(key, out string? known))
        {
            smallConstants.Add(key, known = Fresh(hint));
            Constants.Add(known, value);
        }

        return known;
    }

    /// <summary>A one-dimensional int64 constant: axes, shapes, pads.</summary>
    public string Integers(params long[] values) => Constant(Tensor.Of<long>(values, values.Length), "integers");

    /// <summary>A scalar of a floating element type.</summary>
    public string Scalar(double value, int elementType = ElementType.Float) => Constant(elementType switch
    {
        ElementType.Float => Tensor.Scalar((float)value),
        ElementType.Double => Tensor.Scalar(value),
        ElementType.Float16 => Tensor.Scalar((Half)value),
        ElementType.Int64 => Tensor.Scalar((long)value),
        ElementType.Int32 => Tensor.Scalar((int)value),
        _ => throw new ArgumentException($"no scalar of {ElementType.Name(elementType)}"),
    }, "scalar");

    /// <summary>Moves what was made into a graph: constants as initializers, nodes at the end.</summary>
    public void AppendTo(GraphProto graph)
    {
        graph.Initializer.AddRange(Constants.Select(c => c.Value.ToProto(c.Key)));
        graph.Node.AddRange(Nodes);
    }

    private string[] Append(string operatorType, string domain, IReadOnlyList<string> inputs, string[] outputs, AttributeProto[] attributes)
    {
        var node = new NodeProto { OpType = operatorType, Name = Fresh("node/" + operatorType) };
        if (domain.Length > 0)
        {
            node.Domain = domain;
            Domains[domain] = 1;
        }

        node.Input.AddRange(inputs);
        node.Output.AddRange(outputs);
        node.Attribute.AddRange(attributes);
        Nodes.Add(node);
        return outputs;
    }
}
