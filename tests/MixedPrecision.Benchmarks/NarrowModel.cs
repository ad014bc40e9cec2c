using Google.Protobuf;
using MixedPrecision.Formats;
using MixedPrecision.Onnx;

namespace MixedPrecision.Benchmarks;

/// <summary>A model in which every float is of another type: one region from the inputs to the outputs, which stay float and are cast.</summary>
internal static class NarrowModel
{
    public static ModelProto Of(OnnxModel model, FloatType type)
    {
        ModelProto narrow = model.Proto.Clone();
        GraphProto graph = narrow.Graph;
        Narrow(graph, model.External, type);
        var before = new List<NodeProto>();
        foreach (ValueInfoProto input in graph.Input.Where(i => i.Type.TensorType.ElemType == ElementType.Float))
        {
            Rename(graph, input.Name, $"{input.Name}/narrow");
            before.Add(Cast(input.Name, $"{input.Name}/narrow", type.ElementType));
        }

        var after = new List<NodeProto>();
        foreach (ValueInfoProto output in graph.Output.Where(o => o.Type.TensorType.ElemType == ElementType.Float))
        {
            Rename(graph, output.Name, $"{output.Name}/narrow");
            after.Add(Cast($"{output.Name}/narrow", output.Name, ElementType.Float));
        }

        NodeProto[] nodes = [.. before, .. graph.Node, .. after];
        graph.Node.Clear();
        graph.Node.AddRange(nodes);
        return narrow;
    }

    private static void Narrow(GraphProto graph, ExternalData external, FloatType type)
    {
        graph.ValueInfo.Clear();
        foreach (TensorProto tensor in graph.Initializer)
        {
            Narrow(tensor, external, type);
        }

        foreach (AttributeProto attribute in graph.Node.SelectMany(n => n.Attribute))
        {
            if (attribute.T is not null)
            {
                Narrow(attribute.T, external, type);
            }
            else if (attribute.G is not null)
            {
                Narrow(attribute.G, external, type);
            }
            else if (attribute is { Name: "to", I: ElementType.Float })
            {
                attribute.I = type.ElementType;
            }
        }
    }

    private static void Narrow(TensorProto tensor, ExternalData external, FloatType type)
    {
        if (tensor.DataType != ElementType.Float)
        {
            return;
        }

        ReadOnlyMemory<byte> bytes = TensorProtos.Read(tensor, external).Bytes;
        var codes = new byte[bytes.Length / 2];
        type.Round(System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(bytes.Span), 1, codes);
        tensor.FloatData.Clear();
        tensor.ExternalData.Clear();
        tensor.ClearDataLocation();
        tensor.DataType = type.ElementType;
        tensor.RawData = ByteString.CopyFrom(codes);
    }

    private static void Rename(GraphProto graph, string name, string renamed)
    {
        foreach (NodeProto node in graph.Node)
        {
            Replace(node.Input, name, renamed);
            Replace(node.Output, name, renamed);
        }
    }

    private static void Replace(Google.Protobuf.Collections.RepeatedField<string> names, string name, string renamed)
    {
        for (int i = 0; i < names.Count; i++)
        {
            names[i] = names[i] == name ? renamed : names[i];
        }
    }

    private static NodeProto Cast(string from, string to, int elementType) => new() { OpType = "Cast", Input = { from }, Output = { to }, Attribute = { Attributes.Of("to", elementType) } };
}
