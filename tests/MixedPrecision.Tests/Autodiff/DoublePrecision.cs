using MixedPrecision.Onnx;

namespace MixedPrecision.Tests.Autodiff;

/// <summary>A model computed in double, so that finite differences are accurate to 1e-8 and not to 1e-3.</summary>
internal static class DoublePrecision
{
    /// <summary>Turns every float of a graph into a double: weights, constants, casts, declared types.</summary>
    public static void Convert(GraphProto graph)
    {
        for (int i = 0; i < graph.Initializer.Count; i++)
        {
            graph.Initializer[i] = Convert(graph.Initializer[i]);
        }

        foreach (ValueInfoProto value in graph.Input.Concat(graph.Output).Concat(graph.ValueInfo).Where(v => v.Type?.TensorType?.ElemType == ElementType.Float))
        {
            value.Type.TensorType.ElemType = ElementType.Double;
        }

        foreach (AttributeProto attribute in graph.Node.SelectMany(n => n.Attribute))
        {
            if (attribute.T is not null)
            {
                attribute.T = Convert(attribute.T);
            }
            else if (attribute.G is not null)
            {
                Convert(attribute.G);
            }
            else if (attribute is { Name: "to", I: ElementType.Float })
            {
                attribute.I = ElementType.Double;
            }
        }
    }

    /// <summary>
    /// Writes Erf, which has no kernel for double, as (2/√π)·x·e^(−x²)·Σ (2x²)ⁿ/(1·3·…·(2n+1)): all terms positive, so nothing cancels.
    /// Beyond 6 erf is 1 to the last bit.
    /// </summary>
    public static void ExpandErf(GraphProto graph)
    {
        const int Terms = 140;
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph), "erf/");
        NodeProto[] nodes = [.. graph.Node];
        foreach (NodeProto node in nodes)
        {
            if (node.OpType != "Erf")
            {
                builder.Nodes.Add(node);
                continue;
            }

            string Scalar(double value) => builder.Scalar(value, ElementType.Double);
            string x = builder.Min(builder.Max(node.Input[0], Scalar(-6)), Scalar(6));
            string square = builder.Square(x);
            string sum = Scalar(1);
            for (int n = Terms; n >= 1; n--)
            {
                sum = builder.Add(builder.Mul(builder.Mul(sum, square), Scalar(2.0 / ((2 * n) + 1))), Scalar(1));
            }

            string factor = builder.Mul(builder.Mul(x, Scalar(2 / Math.Sqrt(Math.PI))), builder.Exp(builder.Neg(square)));
            builder.NodeTo([node.Output[0]], "Mul", "", [factor, sum]);
        }

        graph.Node.Clear();
        builder.AppendTo(graph);
    }

    private static TensorProto Convert(TensorProto tensor)
    {
        if (tensor.DataType != ElementType.Float)
        {
            return tensor;
        }

        using var none = new ExternalData("");
        Tensor read = TensorProtos.Read(tensor, none);
        return Tensor.Of<double>(read.Values<float>().ToArray().Select(v => (double)v).ToArray(), read.Shape).ToProto(tensor.Name);
    }
}
