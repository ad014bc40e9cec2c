using Google.Protobuf;

namespace MixedPrecision.Onnx;

/// <summary>Reads and makes attributes of nodes.</summary>
public static class Attributes
{
    public static AttributeProto? Attribute(this NodeProto node, string name) => node.Attribute.FirstOrDefault(a => a.Name == name);

    public static long Int(this NodeProto node, string name, long missing) => node.Attribute(name)?.I ?? missing;

    public static float Float(this NodeProto node, string name, float missing) => node.Attribute(name)?.F ?? missing;

    public static string Text(this NodeProto node, string name, string missing) => node.Attribute(name)?.S.ToStringUtf8() ?? missing;

    /// <summary>The integers of an attribute, or null when the node does not have it.</summary>
    public static long[]? Ints(this NodeProto node, string name) => node.Attribute(name)?.Ints.ToArray();

    public static AttributeProto Of(string name, long value) => new() { Name = name, I = value, Type = 2 };

    public static AttributeProto Of(string name, float value) => new() { Name = name, F = value, Type = 1 };

    public static AttributeProto Of(string name, string value) => new() { Name = name, S = ByteString.CopyFromUtf8(value), Type = 3 };

    public static AttributeProto Of(string name, TensorProto value) => new() { Name = name, T = value, Type = 4 };

    public static AttributeProto Of(string name, GraphProto value) => new() { Name = name, G = value, Type = 5 };

    public static AttributeProto Of(string name, IEnumerable<long> values)
    {
        var attribute = new AttributeProto { Name = name, Type = 7 };
        attribute.Ints.AddRange(values);
        return attribute;
    }

    /// <summary>The graphs inside a node (branches of If, bodies of Loop and Scan).</summary>
    public static IEnumerable<GraphProto> Graphs(this NodeProto node) =>
        node.Attribute.SelectMany(a => a.G is null ? a.Graphs : a.Graphs.Prepend(a.G));

    /// <summary>The operator with its domain when it is not ONNX's own, e.g. "com.microsoft.Gelu".</summary>
    public static string Operator(this NodeProto node) =>
        node.Domain is "" or "ai.onnx" ? node.OpType : $"{node.Domain}.{node.OpType}";

    /// <summary>What messages call a node: its name, or else its first output.</summary>
    public static string DisplayName(this NodeProto node) =>
        node.Name.Length > 0 ? node.Name : node.Output.FirstOrDefault(o => o.Length > 0) ?? node.OpType;
}
