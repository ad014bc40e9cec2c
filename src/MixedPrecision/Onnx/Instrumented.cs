namespace MixedPrecision.Onnx;

/// <summary>Models that are run to look at values inside of them, never to be timed.</summary>
public static class Instrumented
{
    /// <summary>
    /// The model with other outputs; tensors and nodes are shared with it, not copied. Sizes of its inputs are open: where an exporter gave one name to two sizes, ONNX Runtime would
    /// put a value where another one of that name was, and fail when it is larger.
    /// </summary>
    /// <param name="outputs">Values that nodes of the main graph compute; none: the model's own outputs.</param>
    public static ModelProto Of(OnnxModel model, IReadOnlyCollection<string> outputs)
    {
        var graph = new GraphProto { Name = "instrumented" };
        graph.Node.AddRange(model.Graph.Node);
        graph.Initializer.AddRange(model.Graph.Initializer);
        graph.SparseInitializer.AddRange(model.Graph.SparseInitializer);
        graph.Input.AddRange(model.Graph.Input);
        graph.Output.AddRange(outputs.Count > 0 ? outputs.Select(o => new ValueInfoProto { Name = o }) : model.Graph.Output);
        OpenSizes(graph);
        var proto = new ModelProto { IrVersion = Math.Max(model.Proto.IrVersion, 4), Graph = graph };
        proto.OpsetImport.AddRange(model.Proto.OpsetImport);
        proto.Functions.AddRange(model.Proto.Functions);
        return proto;
    }

    /// <summary>Takes the names off the symbolic dimensions of a graph's declared values.</summary>
    public static void OpenSizes(GraphProto graph)
    {
        foreach (Google.Protobuf.Collections.RepeatedField<ValueInfoProto> values in new[] { graph.Input, graph.Output, graph.ValueInfo })
        {
            for (int i = 0; i < values.Count; i++)
            {
                if (values[i].Type?.TensorType?.Shape?.Dim.Any(d => d.DimParam.Length > 0) == true)
                {
                    values[i] = values[i].Clone();
                    foreach (TensorShapeProto.Types.Dimension dimension in values[i].Type.TensorType.Shape.Dim.Where(d => d.DimParam.Length > 0))
                    {
                        dimension.ClearValue();
                    }
                }
            }
        }
    }
}
