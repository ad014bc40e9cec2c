namespace MixedPrecision.Onnx;

/// <summary>Values of a graph's small constants, from initializers and Constant nodes: axes, shapes, exponents, but not weights.</summary>
/// <param name="graph">The graph.</param>
/// <param name="outer">For a graph inside a node: the constants of those around it.</param>
public sealed class SmallConstants(GraphProto graph, SmallConstants? outer = null)
{
    /// <summary>Constants up to this many bytes are read.</summary>
    private const int MaximumBytes = 4096;

    private readonly Dictionary<string, TensorProto> initializers = graph.Initializer.ToDictionary(i => i.Name);
    private readonly Dictionary<string, NodeProto> nodes = graph.Node
        .Where(n => n.OpType is "Constant" or "Identity" && n.Output.Count == 1)
        .ToDictionary(n => n.Output[0]);

    /// <summary>The value when it is a small constant, else null.</summary>
    public Tensor? Find(string value)
    {
        if (initializers.TryGetValue(value, out TensorProto? proto))
        {
            return Small(proto);
        }

        if (!nodes.TryGetValue(value, out NodeProto? node))
        {
            return outer?.Find(value);
        }

        return node.OpType == "Identity" ? Find(node.Input[0])
            : node.Attribute("value") is { T: { } tensor } ? Small(tensor)
            : node.Attribute("value_int") is { } integer ? Tensor.Scalar(integer.I)
            : node.Attribute("value_ints") is { } integers ? Tensor.Of<long>(integers.Ints.ToArray(), integers.Ints.Count)
            : node.Attribute("value_float") is { } number ? Tensor.Scalar(number.F)
            : node.Attribute("value_floats") is { } numbers ? Tensor.Of<float>(numbers.Floats.ToArray(), numbers.Floats.Count)
            : null;
    }

    /// <summary>The integers (int32 or int64) when the value is a small constant of such, else null.</summary>
    public long[]? Integers(string value) => Find(value) switch
    {
        { ElementType: ElementType.Int32 } tensor => [.. tensor.Values<int>().ToArray().Select(v => (long)v)],
        { ElementType: ElementType.Int64 } tensor => tensor.Values<long>().ToArray(),
        _ => null,
    };

    /// <summary>The numbers when the value is a small constant of float or double, else null.</summary>
    public double[]? Reals(string value) => Find(value) switch
    {
        { ElementType: ElementType.Float } tensor => [.. tensor.Values<float>().ToArray().Select(v => (double)v)],
        { ElementType: ElementType.Double } tensor => tensor.Values<double>().ToArray(),
        _ => null,
    };

    private static Tensor? Small(TensorProto proto)
    {
        if (proto.DataLocation == 1 || ElementType.BitsOf(proto.DataType) == 0 || TensorProtos.ByteCount(proto) > MaximumBytes)
        {
            return null;
        }

        using var none = new ExternalData("");
        return TensorProtos.Read(proto, none);
    }
}
