using MixedPrecision.Onnx;

namespace MixedPrecision.Execution;

/// <summary>Makes the changed model of which ONNX Runtime is asked for types.</summary>
internal static class TypeProbe
{
    /// <summary>Initializers up to this many bytes stay, since shapes and axes are inferred from their values.</summary>
    private const int SmallInitializer = 4096;

    /// <summary>The model with large initializers as inputs, and every value as an output if so wanted.</summary>
    public static ModelProto Of(OnnxModel model, IReadOnlyDictionary<string, TensorType>? known, bool hasAllValues)
    {
        var graph = new GraphProto { Name = "types" };
        graph.Node.AddRange(model.Graph.Node);

        // Text, and elements that share a byte, cannot be fed.
        HashSet<string> weights = [.. model.Initializers.Values
            .Where(t => ElementType.BitsOf(t.DataType) >= 8 && (TensorProtos.ByteCount(t) > SmallInitializer || ModelTensors.IsExternal(t)))
            .Select(t => t.Name)];
        graph.Input.AddRange(model.Inputs.Select(i => known?.GetValueOrDefault(i.Name) is { Shape: not null } type ? type.ToProto(i.Name) : i));
        foreach (TensorProto initializer in model.Graph.Initializer)
        {
            if (weights.Contains(initializer.Name))
            {
                graph.Input.Add(new TensorType(initializer.DataType, [.. initializer.Dims.Select(Dimension.Of)]).ToProto(initializer.Name));
            }
            else
            {
                graph.Initializer.Add(initializer);
            }
        }

        graph.SparseInitializer.AddRange(model.Graph.SparseInitializer);
        HashSet<string> declared = [.. model.Graph.Output.Select(o => o.Name), .. SharingBytes(model.Graph)];
        graph.Output.AddRange(model.Graph.Output);
        foreach (string output in model.Graph.Node.SelectMany(n => n.Output).Where(o => hasAllValues && o.Length > 0 && declared.Add(o)))
        {
            graph.Output.Add(known?.GetValueOrDefault(output) is { Shape: not null } type ? type.ToProto(output) : new ValueInfoProto { Name = output });
        }

        // The runtime writes what it inferred only if it changed the graph: give it something to fold, which it has in all operator sets.
        var builder = new GraphBuilder(GraphBuilder.NamesIn(graph), "types/");
        graph.Output.Add(new ValueInfoProto { Name = builder.Node("Transpose", [builder.Constant(Tensor.Of<float>([1, 2], 1, 2))]) });
        builder.AppendTo(graph);

        var probe = new ModelProto { IrVersion = Math.Max(model.Proto.IrVersion, 4), Graph = graph };
        probe.OpsetImport.AddRange(model.Proto.OpsetImport);
        probe.Functions.AddRange(model.Proto.Functions);
        return probe;
    }

    /// <summary>Values whose elements share a byte, as far as constants tell: the runtime computes them and does not hand them out.</summary>
    private static HashSet<string> SharingBytes(GraphProto graph)
    {
        static bool Shares(long elementType) => ElementType.BitsOf((int)elementType) is > 0 and < 8;
        HashSet<string> values = [.. graph.Initializer.Where(i => Shares(i.DataType)).Select(i => i.Name)];
        foreach (NodeProto node in graph.Node)
        {
            bool shares = node.OpType switch
            {
                "Constant" => Shares(node.Attribute("value")?.T?.DataType ?? 0),
                "Cast" => Shares(node.Int("to", 0)),
                "QuantizeLinear" => Shares(node.Int("output_dtype", 0)) || (node.Input.Count > 2 && values.Contains(node.Input[2])),
                "DequantizeLinear" or "Shape" or "Size" => false,
                _ => node.Domain is "" or "ai.onnx" && node.Input.Count > 0 && values.Contains(node.Input[0]),
            };
            if (shares)
            {
                values.UnionWith(node.Output);
            }
        }

        return values;
    }
}
