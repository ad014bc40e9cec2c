using MixedPrecision.Onnx;

namespace MixedPrecision.Calibration.Autodiff;

/// <summary>What one walk over one graph shares between its nodes: types, constants, gradients gathered so far.</summary>
internal sealed class Scope(
    GraphView view,
    IReadOnlyDictionary<string, TensorType> types,
    GraphBuilder builder,
    IReadOnlySet<string> wanted,
    Func<string, Tensor?> outerConstants)
{
    /// <summary>Constants up to this many bytes are read: axes, shapes, exponents, but not weights.</summary>
    private const int SmallConstant = 4096;

    private static readonly TensorType Unknown = new(0, null);
    private readonly Dictionary<string, string> shapes = [];
    private readonly Dictionary<string, List<string>> gradients = [];
    private readonly Dictionary<string, TensorProto> initializers = view.Graph.Initializer.ToDictionary(i => i.Name);

    public GraphView View => view;

    public GraphBuilder Builder => builder;

    public IReadOnlyDictionary<string, TensorType> Types => types;

    public bool IsWanted(string value) => wanted.Contains(value);

    public TensorType Type(string value) => types.GetValueOrDefault(value, Unknown);

    public Tensor? Constant(string value)
    {
        TensorProto? proto = initializers.GetValueOrDefault(value);
        if (proto is null && view.Producer(value) is int producer)
        {
            NodeProto node = view.Nodes[producer];
            return node.OpType switch
            {
                "Constant" => ConstantOf(node),
                "Identity" => Constant(node.Input[0]),
                _ => null,
            };
        }

        return proto is null ? outerConstants(value) : Small(proto);
    }

    public string ShapeOf(string value)
    {
        if (Type(value).StaticShape() is { } known)
        {
            return builder.Integers(known);
        }

        if (!shapes.TryGetValue(value, out string? shape))
        {
            shapes.Add(value, shape = builder.Shape(value));
        }

        return shape;
    }

    public void Accumulate(string value, string gradient)
    {
        if (!gradients.TryGetValue(value, out List<string>? parts))
        {
            gradients.Add(value, parts = []);
        }

        parts.Add(gradient);
    }

    /// <summary>The sum of what has reached a value, or null when nothing did.</summary>
    public string? Gradient(string value)
    {
        if (!gradients.TryGetValue(value, out List<string>? parts))
        {
            return null;
        }

        if (parts.Count > 1)
        {
            gradients[value] = parts = [builder.Sum(parts)];
        }

        return parts[0];
    }

    private static Tensor? ConstantOf(NodeProto node) =>
        node.Attribute("value") is { T: { } tensor } ? Small(tensor)
        : node.Attribute("value_int") is { } integer ? Tensor.Scalar(integer.I)
        : node.Attribute("value_ints") is { } integers ? Tensor.Of<long>(integers.Ints.ToArray(), integers.Ints.Count)
        : node.Attribute("value_float") is { } number ? Tensor.Scalar(number.F)
        : node.Attribute("value_floats") is { } numbers ? Tensor.Of<float>(numbers.Floats.ToArray(), numbers.Floats.Count)
        : null;

    private static Tensor? Small(TensorProto proto)
    {
        if (proto.DataLocation == 1 || ElementType.BitsOf(proto.DataType) == 0 || TensorProtos.ByteCount(proto) > SmallConstant)
        {
            return null;
        }

        using var none = new ExternalData("");
        return TensorProtos.Read(proto, none);
    }
}
