namespace MixedPrecision.Onnx.Lowering;

/// <summary>Half-precision models as models of float: both float16 and bfloat16 are exact in it, and kernels for gradients exist.</summary>
internal static class Widening
{
    /// <summary>A copy of the model in which every half-precision value, inputs and weights included, is a float of the same name.</summary>
    public static ModelProto Widen(ModelProto model, ExternalData external)
    {
        ModelProto wide = model.Clone();
        Widen(wide.Graph, external);
        foreach (FunctionProto function in wide.Functions)
        {
            Widen(function.Node, external);
        }

        return wide;
    }

    private static void Widen(GraphProto graph, ExternalData external)
    {
        for (int index = 0; index < graph.Initializer.Count; index++)
        {
            graph.Initializer[index] = Widen(graph.Initializer[index], external);
        }

        foreach (ValueInfoProto value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo).Where(v => HalfPrecision.IsHalf(v.Type?.TensorType?.ElemType ?? 0)))
        {
            value.Type.TensorType.ElemType = ElementType.Float;
        }

        Widen(graph.Node, external);
    }

    private static void Widen(IEnumerable<NodeProto> nodes, ExternalData external)
    {
        foreach (AttributeProto attribute in nodes.SelectMany(n => n.Attribute))
        {
            if (attribute.T is not null)
            {
                attribute.T = Widen(attribute.T, external);
            }
            else if (attribute.G is not null)
            {
                Widen(attribute.G, external);
            }
            else if (attribute.Name is "to" or "dtype" or "output_dtype" && HalfPrecision.IsHalf((int)attribute.I))
            {
                attribute.I = ElementType.Float;
            }
        }
    }

    private static TensorProto Widen(TensorProto tensor, ExternalData external)
    {
        if (!HalfPrecision.IsHalf(tensor.DataType))
        {
            return tensor;
        }

        return HalfPrecision.Widen(TensorProtos.Read(tensor, external)).ToProto(tensor.Name);
    }
}
