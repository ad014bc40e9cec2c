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
        var casts = new List<NodeProto>();
        for (int index = 0; index < graph.Initializer.Count; index++)
        {
            TensorProto tensor = graph.Initializer[index];
            if (HalfPrecision.IsHalf(tensor.DataType) && TensorProtos.IsTooLargeToRead(tensor))
            {
                var cast = new NodeProto { OpType = "Cast", Input = { $"{tensor.Name}/half" }, Output = { tensor.Name } };
                cast.Attribute.Add(Attributes.Of("to", ElementType.Float));
                casts.Add(cast);
                tensor.Name = cast.Input[0];
            }
            else
            {
                graph.Initializer[index] = Widen(tensor, external);
            }
        }

        foreach (ValueInfoProto value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo).Where(v => HalfPrecision.IsHalf(v.Type?.TensorType?.ElemType ?? 0)))
        {
            value.Type.TensorType.ElemType = ElementType.Float;
        }

        Widen(graph.Node, external);
        if (casts.Count > 0)
        {
            NodeProto[] nodes = [.. casts, .. graph.Node];
            graph.Node.Clear();
            graph.Node.AddRange(nodes);
        }
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
            else if (attribute.Tensors.Count > 0)
            {
                TensorProto[] wide = [.. attribute.Tensors.Select(t => Widen(t, external))];
                attribute.Tensors.Clear();
                attribute.Tensors.AddRange(wide);
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
